"""Run one command of a table: its errors, signals and closed pipes, handled once for all."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import FrameType

from scripts.common.errors import CommandError


def run(program: str, commands: Mapping[str, str], words: Sequence[str]) -> None:
    """Run the command that the first word names; exit with 1 and its reason where it fails.

    `commands` maps a name to ``module:function``; the function takes the other words.
    """
    name, *line = words or [""]
    if name not in commands:
        sys.exit(f"{program}: there is no command {name!r}; choose {', '.join(commands)}")
    module, _, function = commands[name].partition(":")
    # A command that is ended from outside undoes what it has begun, as on ^C.
    signal.signal(signal.SIGTERM, _end)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup sets it
        signal.signal(signal.SIGHUP, _end)
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


def _end(number: int, frame: FrameType | None) -> None:
    # A terminal that closes, and a supervisor, may send both: the second must not end the undoing.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if number == signal.SIGHUP:
        # The terminal is gone: what is printed from now on would fail.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout.fileno(), sys.stderr.fileno()):
            if os.isatty(stream):
                os.dup2(nowhere, stream)
    raise KeyboardInterrupt
