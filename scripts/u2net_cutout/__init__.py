"""A client of the cutout server: pictures in, cutouts out. It needs no network of its own."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from u2net_cutout.client_errors import (
    ClientError,
    KeyRefused,
    Refused,
    ServerAway,
    ServerUnusable,
    TryLater,
    UsageError,
)
from u2net_cutout.client_settings import connect
from u2net_cutout.cutout_client import CutoutClient

if TYPE_CHECKING:
    from u2net_cutout.picture_types import remove

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


def __getattr__(name: str) -> Any:
    """Load `remove` when it is asked for: NumPy would double the time of a start."""
    if name == "remove":
        return import_module("u2net_cutout.picture_types").remove
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
