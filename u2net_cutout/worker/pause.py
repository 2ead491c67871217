"""Where a worker stands still, if a command asks it to, while it has nothing in hand.

TorchServe has no drain, and nobody outside can see whether a worker is at work. But it gives a
worker the next request only after it has taken the answer to the one before. A worker that stands
still in a describe call has therefore answered all that it was given, and is given nothing more;
then it can be ended without a loss. ``scripts/lifecycle/pause_workers.py`` is the other side.
"""

import fcntl
import os
import time
from pathlib import Path

# Shorter than a response timeout, so that a command which stopped itself does no harm.
LONGEST_HOLD_S = 20
PAUSE_S = 0.02


def request_file(folder: Path, pid: int) -> Path:
    """Return the file that a command locks to ask a worker to stand still."""
    return folder / str(pid)


def held_file(folder: Path, pid: int) -> Path:
    """Return the file that is there while a worker stands still; empty, as the disk may be full."""
    return folder / f"{pid}.held"


def stand_still(folder: str | None, longest_s: float = LONGEST_HOLD_S) -> None:
    """Wait while a command locks this process's file in `folder`; without one, don't wait.

    No longer than `longest_s`. The kernel drops the lock with the command, however that ends.
    """
    if not folder:
        return
    held = held_file(Path(folder), os.getpid())
    try:
        with request_file(Path(folder), os.getpid()).open() as file:
            held.touch()
            _wait_for(file.fileno(), longest_s)
    except OSError:  # nobody asks
        return
    finally:
        held.unlink(missing_ok=True)


def _wait_for(lock: int, longest_s: float) -> None:
    deadline = time.monotonic() + longest_s
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE_S)
        else:
            return
