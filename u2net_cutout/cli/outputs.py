"""Output files: written whole or not at all, in the format of their suffix."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from threading import RLock
from types import MappingProxyType

from u2net_cutout.client.errors import ClientError, UsageError
from u2net_cutout.contract.formats import OutputFormat

SUFFIXES: Mapping[str, OutputFormat] = MappingProxyType(
    {
        ".png": OutputFormat.PNG,
        ".webp": OutputFormat.WEBP,
        ".jpg": OutputFormat.JPG,
        ".jpeg": OutputFormat.JPG,
        ".zip": OutputFormat.ZIP,
        ".rgba": OutputFormat.RGBA,
    }
)
PART_PREFIX, PART_SUFFIX = ".u2net-cutout-", ".part"
# Longer than a part is written to.
LEFT_BEHIND_S = 60


# The parts that this process writes. A name is entered before there is such a file.
_parts: set[Path] = set()
# Held to create one; while it is held, no other thread creates one.
_creating = RLock()


class OutputExists(ClientError):
    """The file exists, and may not be replaced."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists: --force replaces it")


def format_of(path: Path) -> OutputFormat:
    """Return the format of a file by its suffix.

    Raises:
        UsageError: it has none of a format.
    """
    try:
        return SUFFIXES[path.suffix.lower()]
    except KeyError:
        known = ", ".join(SUFFIXES)
        raise UsageError(f"{path}: the name must end in one of {known}") from None


def suffix_of(output_format: OutputFormat) -> str:
    """Return the suffix of files in a format other than `auto`."""
    return next(suffix for suffix, known in SUFFIXES.items() if known is output_format)


def write_whole(path: Path, content: bytes, *, force: bool) -> None:
    """Write a file so that, whenever the process or the machine ends, no half of it is there.

    Missing folders are created.

    Raises:
        OutputExists: it exists, and `force` is not set.
        OSError: it can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f"{PART_PREFIX}{token_hex(8)}{PART_SUFFIX}"
    _parts.add(part)
    try:
        with _creating:
            file = part.open("xb")
        with file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if force:
            part.replace(path)
        else:
            _put_if_free(part, path)
    finally:
        part.unlink(missing_ok=True)
        _parts.discard(part)


def discard_parts() -> None:
    """Remove the parts that threads are writing, for a process that ends now: no more are begun."""
    _creating.acquire()
    for part in list(_parts):
        with suppress(OSError):
            part.unlink()


def remove_leftovers(folder: Path) -> None:
    """Remove the parts that killed runs left in a folder and below."""
    for part in folder.rglob(f"{PART_PREFIX}*{PART_SUFFIX}"):
        with suppress(FileNotFoundError):  # another run has just put it into place
            if time.time() - part.stat().st_mtime > LEFT_BEHIND_S:
                part.unlink()


def _put_if_free(part: Path, path: Path) -> None:
    try:
        path.hardlink_to(part)
    except FileExistsError as error:
        raise OutputExists(path) from error
    except OSError:  # some file systems have no links
        if os.path.lexists(path):
            raise OutputExists(path) from None
        part.replace(path)
