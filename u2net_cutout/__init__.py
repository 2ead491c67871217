"""Background removal: pictures in, cutouts out.

The names here are those of the client and of an archive that is opened without a server. They are
loaded on first use, because an archive has neither, and because NumPy would double the time that
the command takes to start.
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from u2net_cutout.client.client import CutoutClient
    from u2net_cutout.client.errors import (
        ArchiveUnusable,
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
    from u2net_cutout.local.model import CutoutModel
    from u2net_cutout.local.opening import open_archive

__all__ = [
    "ArchiveUnusable",
    "BadResponse",
    "ClientError",
    "CutoutClient",
    "CutoutModel",
    "KeyRefused",
    "Refused",
    "ServerAway",
    "ServerUnusable",
    "TryLater",
    "UsageError",
    "connect",
    "open_archive",
    "remove",
]

_MODULES = MappingProxyType(
    dict.fromkeys(__all__, "client.errors")
    | {
        "CutoutClient": "client.client",
        "CutoutModel": "local.model",
        "connect": "client.settings",
        "open_archive": "local.opening",
        "remove": "client.remove",
    }
)


def __getattr__(name: str) -> Any:
    """Load a name (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"u2net_cutout.{_MODULES[name]}"), name)
