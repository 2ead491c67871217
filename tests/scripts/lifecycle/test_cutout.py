"""`make cutout` as far as no server is needed; tests/served/test_lifecycle.py has the rest."""

import subprocess
from pathlib import Path

import pytest

from scripts.common.paths import PHOTO
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ((), "IMAGE is missing: name a picture or a folder, as in make cutout IMAGE=photo.jpg"),
        (("IMAGE=none.jpg",), "IMAGE=none.jpg: there is no such file or folder"),
        ((f"IMAGE={PHOTO}",), "exists: name another OUTPUT, or replace it with OPTIONS=--force"),
        # It goes on to the server, which is not there.
        ((f"IMAGE={PHOTO}", "OPTIONS=-vf"), "no server runs on port 31190"),
    ],
)
def test_what_is_missing_or_would_be_replaced_is_said(
    tmp_path: Path, variables: tuple[str, ...], words: str
) -> None:
    output = tmp_path / "cutout.png"
    output.write_bytes(b"before")
    where = (f"BUILD={tmp_path}", "PORT=31190", f"OUTPUT={output}")
    line = ["make", "--silent", "cutout", *where, *variables]

    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert words in done.stderr
    assert output.read_bytes() == b"before"
