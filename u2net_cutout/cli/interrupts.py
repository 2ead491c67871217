"""What ^C, SIGTERM and SIGHUP do: the first one interrupts the command, the second one ends it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from u2net_cutout.cli.outputs import discard_parts

INTERRUPTED = 130
# A signal that comes just before the main thread waits for another thread does not wake it: Python
# handles the signal after the wait. So each such wait is short.
LONGEST_WAIT_S = 0.5
# Windows has no SIGHUP.
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@contextmanager
def interruptible() -> Iterator[None]:
    """Have the first signal raise KeyboardInterrupt, and the next one end the process at once.

    A signal that is ignored, as under nohup, stays so.
    """
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            end_interrupted()
        interrupted = True
        raise KeyboardInterrupt

    handled = [name for name in SIGNALS if signal.getsignal(name) is not signal.SIG_IGN]
    before = [(name, signal.signal(name, interrupt)) for name in handled]
    try:
        yield
    finally:
        for name, handler in before:
            signal.signal(name, handler)


def end_interrupted() -> NoReturn:
    """End the process without its half-written files, and without waiting for its threads."""
    discard_parts()
    os._exit(INTERRUPTED)
