"""The tokens of one TorchServe, which writes them into a file: read, and renewed in time."""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_call import call
from scripts.torchserve.process import TorchServeProcess

TokenKind = Literal["inference", "management"]

# A token is renewed when it has less than this left, so that it can still be used. Renewing one
# ends the one before at once, for every client, so this is no longer than a command needs...
TOKEN_MARGIN = timedelta(seconds=20)
# ...and a person.
TOKEN_MARGIN_FOR_PEOPLE = timedelta(minutes=5)

# TorchServe writes the file anew in less.
REWRITE_S = 0.2


@dataclass(frozen=True)
class Tokens:
    """The tokens of one server; empty if it asks for none."""

    config: ServerConfig

    def valid(self, kind: TokenKind, margin: timedelta = TOKEN_MARGIN) -> str:
        """Return a token that is valid for at least `margin`, renewed if need be.

        Raises:
            ServerError: the server is not running, or the token can't be read or renewed.
        """
        if TorchServeProcess(self.config).find() is None:
            raise ServerError(f"no server runs on port {self.config.port}: make serve")
        if not self.config.asks_for_tokens:
            return ""
        if self._time_left(kind) < margin:
            with self._renewing():
                # Another command may have done it meanwhile.
                if self._time_left(kind) < margin:
                    self._renew(kind)
        return str(self._keys()[kind]["key"])

    def renew(self, kind: TokenKind) -> None:
        """Replace a token, if there is one; the one before is refused from now on.

        Raises:
            ServerError: it can't be renewed.
        """
        if self.config.asks_for_tokens:
            with self._renewing():
                self._renew(kind)

    def _time_left(self, kind: TokenKind) -> timedelta:
        return datetime.fromisoformat(self._keys()[kind]["expiration time"]) - datetime.now(UTC)

    def _renew(self, kind: TokenKind) -> None:
        call(self.config, "GET", "/token", self._keys()["API"]["key"], {"type": kind})

    @contextmanager
    def _renewing(self) -> Iterator[None]:
        """Let one command after the other renew: each ends the token of the one before."""
        try:
            lock = self.config.key_lock.open("w")
        except OSError as error:
            raise ServerError(f"the token can't be renewed: {error}") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _keys(self) -> dict[str, dict[str, str]]:
        file = self.config.key_file
        try:
            try:
                return dict(json.loads(file.read_text(encoding="utf-8")))
            except ValueError:  # TorchServe is writing it
                time.sleep(REWRITE_S)
                return dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise ServerError(f"{file} is not readable: make serve") from error
