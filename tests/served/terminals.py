"""Commands that run in a terminal of their own, which may be closed."""

import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from scripts.torchserve.config import ServerConfig
from tests.conftest import ROOT


@dataclass
class Terminal:
    """A terminal, and the make that runs in it."""

    process: subprocess.Popen[bytes]
    master: int
    shown: str = field(default="", init=False)

    def read_until(self, words: str) -> None:
        """Read what is printed until it has these words."""
        while words not in self.shown:
            self.shown += os.read(self.master, 1000).decode()

    def close(self) -> None:
        """Close the terminal, as a window or an SSH session that ends."""
        os.close(self.master)

    def exit_status(self) -> int:
        """Wait for the end of what runs in it."""
        return self.process.wait(200)


@contextmanager
def terminal(config: ServerConfig, *arguments: str) -> Iterator[Terminal]:
    """Run make in a new terminal, as its controlling process."""
    master, slave = pty.openpty()
    where = (f"BUILD={config.servers.parent}", f"PORT={config.port}", "PRECISION=fp32")
    process = subprocess.Popen(
        ["setsid", "--ctty", "make", "--silent", "MODEL=u2netp", *where, *arguments],
        cwd=ROOT,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        with suppress(OSError):
            os.close(master)
