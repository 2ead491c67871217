"""Where a worker stands still, if a command asks it to, while it has nothing in hand.

TorchServe has no drain, and nobody outside can see whether a worker is at work. But it gives a
worker the next request only after it has taken the answer to the one before. A worker that stands
still in a describe call has therefore answered all that it was given, and is given nothing more;
then it can be ended without a loss. ``scripts/standstill.py`` is the other side.
"""

import fcntl
import os
import time
from pathlib import Path

# Shorter than a response timeout, so that a command which stopped itself does no harm.
LONGEST_HOLD_S = 20
PAUSE_S = 0.02

HELD, PASSED = "held", "passed"


def stand_still(folder: str | None, longest_s: float = LONGEST_HOLD_S) -> None:
    """Wait while a command locks this process's file in `folder`; without one, don't wait.

    The file is called by the process's number. It tells ``held`` meanwhile, and ``passed`` when
    this ends because it took longer than `longest_s`. The kernel drops the lock with the command,
    however that ends.
    """
    if not folder:
        return
    try:
        file = (Path(folder) / str(os.getpid())).open("r+")
    except OSError:
        return
    deadline = time.monotonic() + longest_s
    with file:
        _write(file.fileno(), HELD)
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                time.sleep(PAUSE_S)
            else:
                return
        _write(file.fileno(), PASSED)


def _write(descriptor: int, word: str) -> None:
    # The longest first, so that no reader sees a piece of one.
    os.pwrite(descriptor, word.ljust(len(PASSED)).encode(), 0)
