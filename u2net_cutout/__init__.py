"""Background removal: pictures in, cutouts out.

The names here are those of the client. They are loaded on first use, because an archive has no
client, and because NumPy would double the time that the command takes to start.
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from u2net_cutout.client.client import CutoutClient
    from u2net_cutout.client.errors import (
        BadResponse,
        ClientError,
        KeyRefused,
        Refused,
        ServerAway,
        ServerUnusable,
        TryLater,
        UsageError,
    )
    from u2net_cutout.client.remove import remove
    from u2net_cutout.client.settings import connect

__all__ = [
    "BadResponse",
    "ClientError",
    "CutoutClient",
    "KeyRefused",
    "Refused",
    "ServerAway",
    "ServerUnusable",
    "TryLater",
    "UsageError",
    "connect",
    "remove",
]

_MODULES = MappingProxyType(
    {
        "CutoutClient": "client",
        "connect": "settings",
        "remove": "remove",
        **{name: "errors" for name in __all__ if name not in ("CutoutClient", "connect", "remove")},
    }
)


def __getattr__(name: str) -> Any:
    """Load a name of the client (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"u2net_cutout.client.{_MODULES[name]}"), name)
