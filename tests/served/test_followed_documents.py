"""README.md and the short documents, followed command by command, as a reader would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.gateway.nginx import Nginx
from scripts.torchserve.config import ServerError
from tests.conftest import ROOT, WEIGHTS
from tests.served.conftest import build_folder, free_port

# `make follow-docs` follows all; these set nothing up and start hardly more than one server.
SHORT = ("README.md", "docs/off-torchserve.md", "docs/moving-from-rembg.md")


def follow(*arguments: str, build: Path, port: int) -> subprocess.CompletedProcess[str]:
    settings = {"PORT": str(port), "PRECISION": "fp32", "PROFILE": "latency"}
    return subprocess.run(
        [sys.executable, "-m", "scripts", "follow-docs", "--build", str(build), *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("weights")
def test_the_readme_and_short_documents_can_be_followed() -> None:
    try:
        Nginx.find()
    except ServerError as error:
        pytest.skip(str(error))
    assert WEIGHTS.exists()
    with build_folder() as build:
        done = follow(*SHORT, build=build, port=free_port())

    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.splitlines()
    assert all(": ok, " in line for line in told)
    assert {line.partition(":")[0] for line in told} == set(SHORT)


@pytest.mark.parametrize(
    ("commands", "line", "why"),
    [
        ("true\nfalse\ntrue\n", 2, "exit 1"),
        ("echo told; exit 7\n", 2, "told"),
        ("sleep 60\n", 2, ""),
    ],
)
def test_what_fails_is_told(tmp_path: Path, commands: str, line: int, why: str) -> None:
    document = tmp_path / "wrong.md"
    document.write_text(f"```sh\n{commands}```\n")
    with build_folder() as build:
        done = follow(str(document), "--limit", "2", build=build, port=free_port())

    assert done.returncode == 1
    assert f"wrong.md:{line}: " in done.stderr
    assert why in done.stderr
