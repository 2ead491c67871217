"""What a version may be called: it becomes part of addresses, file names and command lines."""

import re

PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

# TorchServe takes it for all versions at once.
RESERVED = "all"


class VersionError(ValueError):
    """A name that no version can have."""


def checked_version(version: str) -> str:
    """Return `version`.

    Raises:
        VersionError: no version can be called so.
    """
    if version == RESERVED or not PATTERN.fullmatch(version):
        raise VersionError(
            f"VERSION={version!r} is no version: letters, digits, '.', '_' and '-', as in 1.1"
        )
    return version
