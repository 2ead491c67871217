import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from u2net_cutout.worker.pause import held_file, pause_if_asked, request_file

# What a worker does at every describe call.
WORKER = """
import sys
from pathlib import Path
from u2net_cutout.worker.pause import pause_if_asked
for line in sys.stdin:
    pause_if_asked(Path(sys.argv[1]), float(line))
    print("on", flush=True)
"""


@pytest.fixture
def worker(tmp_path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path)],
        cwd=ROOT,
        env={},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(worker: subprocess.Popen[str], longest_s: float) -> None:
    assert worker.stdin
    worker.stdin.write(f"{longest_s}\n")
    worker.stdin.flush()


def goes_on(worker: subprocess.Popen[str]) -> bool:
    assert worker.stdout
    return worker.stdout.readline() == "on\n"


def test_a_worker_that_no_command_asks_does_not_wait(tmp_path: Path) -> None:
    pause_if_asked(None)
    pause_if_asked(tmp_path)
    pause_if_asked(tmp_path / "is not there")


def test_a_worker_pauses_until_the_lock_goes(worker: subprocess.Popen[str], tmp_path: Path) -> None:
    held = held_file(tmp_path, worker.pid)
    with worker:
        with request_file(tmp_path, worker.pid).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ask(worker, 600)
            while not held.exists():
                assert worker.poll() is None
        # The command has ended, which is all that the kernel needs to know.
        assert goes_on(worker)
        assert not held.exists()
        ask(worker, 600)
        assert goes_on(worker)


def test_a_worker_does_not_wait_for_ever(worker: subprocess.Popen[str], tmp_path: Path) -> None:
    with worker, request_file(tmp_path, worker.pid).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ask(worker, 0.1)
        assert goes_on(worker)
        assert not held_file(tmp_path, worker.pid).exists()


def test_another_process_is_not_meant(tmp_path: Path) -> None:
    with request_file(tmp_path, os.getppid()).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pause_if_asked(tmp_path, longest_s=600)
