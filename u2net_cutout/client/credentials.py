"""The key that opens a server, and how to come by a new one when it has run out."""

import shlex
import subprocess
from collections.abc import Callable
from threading import Lock

from u2net_cutout.client.errors import ServerUnusable

COMMAND_TIMEOUT_S = 60


class ApiKey:
    """A key that all threads of a client share; `source` is asked again once it is refused."""

    def __init__(self, source: Callable[[], str]) -> None:
        self._source = source
        self._lock = Lock()
        self._key: str | None = None

    def current(self) -> str:
        """Return the key, fetched the first time.

        Raises:
            ServerUnusable: the source has none.
        """
        with self._lock:
            if self._key is None:
                self._key = self._source()
            return self._key

    def renewed(self, refused: str) -> str | None:
        """Return another key than the refused one; None if the source has no other.

        Raises:
            ServerUnusable: the source has none at all.
        """
        with self._lock:
            if self._key == refused:
                self._key = self._source()
            return None if self._key == refused else self._key


def key_from_command(command: str) -> Callable[[], str]:
    """Return a source that runs a command and takes the key that it prints."""

    def run() -> str:
        try:
            words = shlex.split(command)
            done = subprocess.run(
                words, capture_output=True, text=True, check=False, timeout=COMMAND_TIMEOUT_S
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise ServerUnusable(f"the command for the key can't be run: {error}") from error
        key = done.stdout.strip()
        if done.returncode != 0 or not key:
            raise ServerUnusable(f"`{command}` prints no key: {done.stderr.strip()}")
        return key

    return run
