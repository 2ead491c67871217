"""Why a client has no cutout: of this picture, or of any that it would send."""

from functools import partial
from typing import Any


class ClientError(Exception):
    """There is no cutout; the message says why and what to do.

    Its characters are printable: what a server sent can't move a terminal's cursor, begin a line or
    turn the direction of the text.
    """

    def __init__(self, words: str) -> None:
        super().__init__(printable(words))


class UsageError(ClientError):
    """The arguments make no sense, whatever the server."""


class Refused(ClientError):
    """The server can't or won't cut this picture out; it may cut out others."""

    def __init__(self, words: str, *, status: int, code: str | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.code = code
        """The error's code in the API, such as ``invalid_file_type``."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it pass between processes: Python's own way knows no keyword arguments."""
        return partial(type(self), status=self.status, code=self.code), self.args


class BadResponse(ClientError):
    """The server reports success, and its response is no cutout or not a whole one."""


class TryLater(ClientError):
    """The server is busy, or lost its worker or the connection: the request may succeed later."""

    def __init__(self, words: str, after_s: float = 0.0) -> None:
        super().__init__(words)
        self.after_s = after_s
        """Seconds before which the server wants no other request."""


class WorkerDied(TryLater):
    """The server lost its worker, over this picture or over one that came with it."""


class ServerUnusable(ClientError):
    """No request to this server succeeds."""


class ServerAway(TryLater, ServerUnusable):
    """No server accepts connections at the address."""


class KeyRefused(ServerUnusable):
    """The server does not take the key, and there is no other one."""


class ArchiveUnusable(ServerUnusable):
    """No picture can be cut out with this archive: it is damaged, of another kind, not for here."""


def printable(text: str) -> str:
    """Return a text with Python's escapes in place of line breaks, controls and the like."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
