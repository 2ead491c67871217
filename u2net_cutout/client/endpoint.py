"""A server's address and the form of its API. Sends nothing."""

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
    """``/v1.0/removebg``, below the model's name if one is chosen, with ``X-Api-Key``: remove.bg's,
    which gateways offer as well."""


@dataclass(frozen=True)
class Endpoint:
    """The address that takes a picture."""

    url: str
    api: Api

    @classmethod
    def of(cls, url: str, model: str | None = None, api: Api | None = None) -> "Endpoint":
        """Complete an address: `url` may be the server's root, or have the path of either form.

        Without a path it is TorchServe's, unless `api` names the other. Without a model it is
        ``u2net`` for TorchServe, and the gateway's own choice otherwise.

        Raises:
            UsageError: it is not such an address, contradicts `api`, or has a path, and `model` is
                given as well.
        """
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise UsageError(f"{url!r} is not an address: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{url!r} is not an address such as {DEFAULT_URL}")
        if parts.query or parts.fragment or parts.username is not None:
            raise UsageError(f"{url!r}: options and keys have no place in the address")
        root = url.rstrip("/")
        named = _api_of(parts.path.rstrip("/"))
        if named and api not in (None, named):
            raise UsageError(f"{url!r} is an address of {named.value}, not of {api.value}")
        if named and model:
            raise UsageError(
                f"{url!r} chooses the model by its path: leave out the model {model!r} (--model, "
                "U2NET_MODEL), or the path"
            )
        if named:
            return cls(root, named)
        if api is Api.REMOVEBG:
            chosen = f"/{quote(model, safe='')}" if model else ""
            return cls(f"{root}{chosen}/v1.0/removebg", api)
        return cls(f"{root}/predictions/{quote(model or DEFAULT_MODEL, safe='')}", Api.TORCHSERVE)

    def headers(self, key: str | None) -> dict[str, str]:
        """Return the header that carries a key, if there is one."""
        if key is None:
            return {}
        if self.api is Api.REMOVEBG:
            return {"X-Api-Key": key}
        return {"Authorization": f"Bearer {key}"}

    @property
    def is_local(self) -> bool:
        """Whether it is a loopback address, which is reached without a proxy."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def _api_of(path: str) -> Api | None:
    if path.endswith("/removebg"):
        return Api.REMOVEBG
    return Api.TORCHSERVE if "/predictions/" in path else None
