"""Where a server is asked, and in which of its two forms. Knows addresses; sends nothing."""

from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from u2net_cutout.client.errors import UsageError

DEFAULT_URL = "http://127.0.0.1:8080"
DEFAULT_MODEL = "u2net"


class Api(Enum):
    """The form of a server's address and key; pictures and options are sent to both alike."""

    TORCHSERVE = "torchserve"
    """``/predictions/<model>``, with a bearer token."""
    REMOVEBG = "removebg"
    """``/v1.0/removebg``, with ``X-Api-Key``, as remove.bg has it and a gateway offers it."""


@dataclass(frozen=True)
class Endpoint:
    """The address that takes a picture."""

    url: str
    api: Api

    @classmethod
    def of(cls, url: str, model: str = DEFAULT_MODEL, api: Api | None = None) -> "Endpoint":
        """Complete an address: `url` may be the server's root, or name the way of either form.

        Without a way it is TorchServe's, unless `api` says otherwise.

        Raises:
            UsageError: it is no such address, or contradicts `api`.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{url!r} is no address: name one such as {DEFAULT_URL}")
        if parts.query or parts.fragment or parts.username is not None:
            raise UsageError(f"{url!r}: options and keys don't go into the address")
        root = url.rstrip("/")
        spoken = _spoken_at(parts.path.rstrip("/"))
        if spoken and api not in (None, spoken):
            raise UsageError(f"{url!r} is an address of {spoken.value}, not of {api.value}")
        if spoken:
            return cls(root, spoken)
        if api is Api.REMOVEBG:
            return cls(f"{root}/v1.0/removebg", api)
        return cls(f"{root}/predictions/{quote(model, safe='')}", Api.TORCHSERVE)

    def headers(self, key: str | None) -> dict[str, str]:
        """Return the header that carries a key, if there is one."""
        if key is None:
            return {}
        if self.api is Api.REMOVEBG:
            return {"X-Api-Key": key}
        return {"Authorization": f"Bearer {key}"}

    @property
    def is_local(self) -> bool:
        """Whether it is this machine, to which no proxy leads."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def _spoken_at(path: str) -> Api | None:
    if path.endswith("/removebg"):
        return Api.REMOVEBG
    return Api.TORCHSERVE if "/predictions/" in path else None
