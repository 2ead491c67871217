"""File systems that are small or read-only, for one test alone.

A mount namespace is a thread's: what is mounted in it, its children see and other processes do not.
"""

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

# Of linux/sched.h; Python has it from 3.12 on.
CLONE_NEWNS = 0x00020000


def in_a_thread(test: Callable[..., None], *arguments: object) -> None:
    """Run a test in a thread of its own, so that its mounts end with it."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(test, *arguments).result()


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[None]:
    """Mount a file system in memory on a folder, with options such as ``size=120m``."""
    _unshare()
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", options, "tmpfs", str(folder))
    yield


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make a folder read-only."""
    _unshare()
    _mount("--bind", str(folder), str(folder))
    _mount("-o", "remount,ro,bind", str(folder))
    with pytest.raises(OSError, match="Read-only"):
        (folder / "file").touch()
    yield


def _unshare() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        pytest.skip(f"nothing can be mounted: {os.strerror(ctypes.get_errno())}")
    _mount("--make-rprivate", "/")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)
