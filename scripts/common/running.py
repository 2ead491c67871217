"""Run one command of a table: its errors, signals and closed pipes, handled once for all."""

import errno
import io
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

from scripts.common.errors import CommandError

# What an operating system refuses, and what to do about it.
ADVICE = {
    errno.ENOSPC: "free some space, or choose another BUILD=/path",
    errno.EDQUOT: "free some space, or choose another BUILD=/path",
    errno.EROFS: "choose a BUILD=/path that can be written",
    errno.EACCES: "choose a BUILD=/path of your own",
    errno.EPERM: "choose a BUILD=/path of your own",
}


def run(program: str, commands: Mapping[str, str], words: Sequence[str]) -> None:
    """Run the command that the first word names; exit with 1 and its reason where it fails.

    `commands` maps a name to ``module:function``; the function takes the other words.
    """
    name, *line = words or [""]
    if name not in commands:
        sys.exit(f"{program}: there is no command {name!r}; choose {', '.join(commands)}")
    module, _, function = commands[name].partition(":")
    sys.stdout, sys.stderr = _lasting(sys.stdout), _lasting(sys.stderr)
    # A command that is ended from outside undoes what it has begun, as on ^C.
    signal.signal(signal.SIGTERM, _interrupt)
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and a shell's & set them
            signal.signal(number, _interrupt)
    _watch_terminal()
    try:
        getattr(import_module(module), function)(line)
        sys.stdout.flush()
    except CommandError as error:
        sys.exit(f"make {name}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"make {name}: interrupted")
    except BrokenPipeError:
        # The reader, such as head, has read enough. Python would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.errno not in ADVICE:
            raise
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"make {name}: {where}{error.strerror}: {ADVICE[error.errno]}")


@contextmanager
def deferred(*signals: signal.Signals) -> Iterator[None]:
    """Let signals interrupt a command only after what is done inside; one of them, by default all.

    Only the main thread gets signals; in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = signals or (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in received[:1]:
            signal.raise_signal(number)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # A terminal that closes, and a supervisor, may send more: the second must not end the undoing.
    # Another ^C does.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    raise KeyboardInterrupt


def _watch_terminal() -> None:
    """Send SIGHUP to this process when its terminal closes, unless it runs in the background.

    The kernel sends it to the leader of the session only. Where that is make, as with ``ssh -t``,
    it does not pass the signal on.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        foreground = os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:  # there is none
        return

    def wait() -> None:
        poll = select.poll()
        poll.register(terminal, 0)
        poll.poll()
        os.kill(os.getpid(), signal.SIGHUP)

    if foreground:
        threading.Thread(target=wait, daemon=True).start()


class _Terminal(io.FileIO):
    """A terminal that may be closed while a command runs: what is printed then is dropped."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return memoryview(data).nbytes


def _lasting(stream: Any) -> Any:
    """Return a stream whose terminal may be closed without an error; of none, the stream itself."""
    if not stream.isatty():
        return stream
    raw = io.BufferedWriter(_Terminal(stream.fileno(), "w", closefd=False))
    return io.TextIOWrapper(
        raw, encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )
