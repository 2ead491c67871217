"""Locks that one command holds while others wait; the kernel drops them with the process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def locked(folder: Path, message: str) -> Iterator[None]:
    """Hold the lock of a folder while inside; print `message` if another process has it.

    The lock is on the folder itself: there is no file to write, so that a full or a read-only disk
    is no obstacle.

    Raises:
        OSError: the folder can't be opened.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        wait_for_lock(opened, message)
        yield
    finally:
        os.close(opened)


def wait_for_lock(file: int | IO[str], message: str) -> None:
    """Lock an open file; print `message` if another process has it, and wait."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(message, flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)
