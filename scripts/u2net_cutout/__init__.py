"""A client of the cutout server: pictures in, cutouts out. It needs no network of its own."""

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
