"""The key of a server, and how to get a new one when it has expired."""

import shlex
import subprocess
from collections.abc import Callable
from threading import Lock

from u2net_cutout.client.errors import ServerUnusable

COMMAND_TIMEOUT_S = 60


class ApiKey:
    """A key that all threads of a client share; `source` is called again when it is refused."""

    def __init__(self, source: Callable[[], str]) -> None:
        self._source = source
        self._lock = Lock()
        self._key: str | None = None

    def current(self) -> str:
        """Return the key, fetched the first time.

        Raises:
            ServerUnusable: the source has none, or one that no header can carry.
        """
        with self._lock:
            if self._key is None:
                self._key = self._fetch()
            return self._key

    def renewed(self, refused: str) -> str | None:
        """Return another key than the refused one; None if the source has no other.

        Raises:
            ServerUnusable: as `current`.
        """
        with self._lock:
            if self._key == refused:
                self._key = self._fetch()
            return None if self._key == refused else self._key

    def _fetch(self) -> str:
        key = self._source()
        if not (key.isascii() and key.isprintable()):
            raise ServerUnusable(
                "the key has characters other than printable ASCII: check U2NET_KEY"
            )
        return key


def key_from_command(command: str) -> Callable[[], str]:
    """Return a source that runs a command and takes the key that it prints."""

    def run() -> str:
        try:
            words = shlex.split(command)
            done = subprocess.run(
                words, capture_output=True, text=True, check=False, timeout=COMMAND_TIMEOUT_S
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise ServerUnusable(f"the key command can't be run: {error}") from error
        key, reason = done.stdout.strip(), done.stderr.strip()
        if done.returncode != 0:
            raise ServerUnusable(
                f"the key command `{command}` failed with status {done.returncode}: "
                f"{reason or 'it printed no reason'}"
            )
        if not key:
            raise ServerUnusable(
                f"the key command `{command}` printed nothing: it must print the key to stdout"
                + (f". On stderr: {reason}" if reason else "")
            )
        if len(lines := key.splitlines()) > 1:
            raise ServerUnusable(
                f"the key command `{command}` printed {len(lines)} lines: it must print the key "
                "and nothing else"
            )
        return key

    return run
