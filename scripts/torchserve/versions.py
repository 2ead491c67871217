"""What a version may be called: it becomes part of addresses, file names and command lines."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from scripts.common.errors import CommandError

if TYPE_CHECKING:
    from packaging.version import Version

PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

CLOSED = "closed"
"""The empty version that refuses requests, see ``lifecycle/maintenance.py``."""

# TorchServe takes the first for all versions at once.
RESERVED = ("all", CLOSED)


class VersionError(CommandError):
    """A name that no version can have."""


def checked_version(version: str) -> str:
    """Return `version`.

    Raises:
        VersionError: no version can be called so.
    """
    if version in RESERVED or not PATTERN.fullmatch(version):
        raise VersionError(
            f"VERSION={version!r} is no version: letters, digits, '.', '_' and '-', as in 1.1"
        )
    return version


def newest(versions: Iterable[str]) -> str | None:
    """Return the highest version, as pip orders them; one that pip can't read is below those."""
    return max(versions, key=_order, default=None)


def _order(version: str) -> tuple[bool, "Version", str]:
    from packaging.version import InvalidVersion, Version  # which a bare Python has not

    try:
        return True, Version(version), version
    except InvalidVersion:
        return False, Version("0"), version
