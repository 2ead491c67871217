"""Background removal: pictures in, cutouts out.

What is imported from here is the client of a server. It is loaded when it is asked for, because an
archive has no client, and because NumPy would double the time that the command takes to start.
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from u2net_cutout.client.client import CutoutClient
    from u2net_cutout.client.errors import (
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
    {"CutoutClient": "client", "connect": "settings", "remove": "remove"}
    | dict.fromkeys(
        ("ClientError", "KeyRefused", "Refused", "ServerAway", "ServerUnusable", "TryLater"),
        "errors",
    )
    | {"UsageError": "errors"}
)


def __getattr__(name: str) -> Any:
    """Load a name of the client (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"u2net_cutout.client.{_MODULES[name]}"), name)
