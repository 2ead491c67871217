"""Why a client has no cutout: of this picture, or of any that it would send."""


class ClientError(Exception):
    """There is no cutout; the message says why and what to do."""


class UsageError(ClientError):
    """What was asked for makes no sense, whatever the server."""


class Refused(ClientError):
    """The server can't or won't cut this picture out; others it may."""

    def __init__(self, words: str, *, status: int, code: str | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.code = code
        """The server's own name for it, such as ``invalid_file_type``."""


class TryLater(ClientError):
    """The server has no time, or lost its worker or the connection over it: ask again."""

    def __init__(self, words: str, after_s: float = 0.0) -> None:
        super().__init__(words)
        self.after_s = after_s
        """How long the server wants to be left alone."""


class WorkerDied(TryLater):
    """The server lost its worker, over this picture or over one that came with it."""


class ServerUnusable(ClientError):
    """Nothing that is asked of this server succeeds."""


class ServerAway(TryLater, ServerUnusable):
    """Nobody answers at the address."""


class KeyRefused(ServerUnusable):
    """The server does not take the key, and there is no other one."""
