"""Pauses a worker that a command asks to pause, while it has no request in progress.

TorchServe has no drain, and from outside nothing shows whether a worker is computing. But it gives
a worker the next request only after it has taken the response to the one before. A worker that
pauses in a describe call has therefore responded to all requests that it was given, and is given no
more; then it can be ended without a loss. ``scripts/lifecycle/pause_workers.py`` is the other side.
"""

import fcntl
import os
import time
from pathlib import Path

# Shorter than a response timeout, so that a command which hangs does no harm.
LONGEST_HOLD_S = 20
PAUSE_S = 0.02


def request_file(folder: Path, pid: int) -> Path:
    """Return the file that a command locks to ask a worker to pause."""
    return folder / str(pid)


def held_file(folder: Path, pid: int) -> Path:
    """Return the file that exists while a worker pauses; empty, as the disk may be full."""
    return folder / f"{pid}.held"


def pause_if_asked(folder: Path | None, longest_s: float = LONGEST_HOLD_S) -> None:
    """Wait while a command locks this process's file in `folder`; without one, don't wait.

    No longer than `longest_s`. The kernel drops the lock with the command, however that ends.
    """
    if folder is None:
        return
    held = held_file(folder, os.getpid())
    try:
        with request_file(folder, os.getpid()).open() as file:
            held.touch()
            _wait_for(file.fileno(), longest_s)
    except OSError:  # no command asks
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
