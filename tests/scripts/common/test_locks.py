import subprocess
import sys
from pathlib import Path

import pytest

from scripts.common.locks import locked
from tests.conftest import ROOT

PROGRAM = """
import sys
from pathlib import Path
from scripts.common.locks import locked
with locked(Path(sys.argv[1]), "waiting"):
    print("locked", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_process_waits_until_the_first_has_ended(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        assert first.stdout
        assert first.stdout.readline() == "locked\n"
        with holder(tmp_path) as second:
            assert second.stdout
            assert second.stdout.readline() == "waiting\n"
            # However it ends, the kernel drops its lock.
            first.kill()
            assert second.stdout.readline() == "locked\n"
            second.kill()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_is_free_afterwards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        with locked(tmp_path, "waiting"):
            pass

    assert capsys.readouterr().out == ""
