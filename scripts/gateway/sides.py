"""The settings of a gateway's two sides: for clients, and in front of TorchServe."""

import re
from dataclasses import dataclass

from scripts.torchserve.binding import HOST
from scripts.torchserve.config import ServerConfig, ServerError

_WORD = re.compile(r"[^\s;{}\"'$\\#]+")


@dataclass(frozen=True)
class PublicSide:
    """The side that clients reach."""

    listen: str
    """Address and port."""
    machines: tuple[str, ...] = ()
    """Addresses of the machines' private sides; none: this machine alone."""
    certificate: str | None = None
    private_key: str | None = None
    rate: int = 500
    """Requests a minute, of a key that has no number of its own."""
    connections: int = 64
    """Requests at once, of a key."""
    origin: str = "*"
    """Origin whose pages may send requests from a browser."""
    read_timeout_s: int = 120
    """Seconds until a machine's response must begin."""

    @property
    def url(self) -> str:
        """Where a client on this machine reaches it."""
        host, _, port = self.listen.rpartition(":")
        everywhere = ("*", "0.0.0.0", "[::]")  # noqa: S104 - compared with, not bound to
        host = HOST if host in everywhere else host
        return f"{'https' if self.certificate else 'http'}://{host}:{port}"

    @property
    def behind(self) -> str:
        """The machines behind it, in words."""
        return ", ".join(self.machines) or "this machine"


@dataclass(frozen=True)
class PrivateSide:
    """The side in front of one machine's TorchServe, which adds its token."""

    server: ServerConfig
    model: str
    listen: str | None = None
    """Address and port for other machines' gateways; None: a socket for this machine's own."""
    allow: tuple[str, ...] = ()
    """Addresses of those gateways."""
    read_timeout_s: int = 120


def bind_address(listen: str) -> str:
    """Return an address and a port to listen on; a port alone is that of loopback.

    Raises:
        ServerError: there is no port.
    """
    host, _, port = checked_word("LISTEN", listen).rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise ServerError(f"LISTEN={listen}: expected a port, or address:port")
    return f"{host or HOST}:{port}"


def checked_word(name: str, value: str) -> str:
    """Return a setting that nginx's configuration takes as one word.

    Raises:
        ServerError: it would not be one.
    """
    if not _WORD.fullmatch(value):
        raise ServerError(f"{name}={value}: blanks, quotes and ; {{ }} $ # \\ are not allowed")
    return value
