"""What make prints during the steps of a set-up."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, WHEELS


def download(build: Path, output: int) -> None:
    pip = f"--no-index --find-links {WHEELS}"
    line = [
        "make",
        "--no-print-directory",
        f"BUILD={build}",
        f"PIP_ARGS={pip}",
        str(build / "wheels"),
    ]
    subprocess.run(line, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, check=True)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_long_step_has_its_time_and_size_and_in_a_terminal_pips_progress(
    tmp_path: Path, terminal: bool
) -> None:
    reader, writer = pty.openpty() if terminal else os.pipe()
    try:
        download(tmp_path, writer)
        said = os.read(reader, 65536).decode()
    finally:
        os.close(reader)
        os.close(writer)

    first, *between, last = said.split("\n")[:-1]
    assert first.strip() == "downloading the packages that the archive requires"
    assert re.fullmatch(rf"  done in \d+ s: \S+ in {tmp_path}/wheels", last.strip("\r"))
    assert any("Looking in links" in line for line in between) == terminal
    assert terminal or not between
    assert list((tmp_path / "wheels").iterdir())
