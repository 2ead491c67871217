"""Files that are there whole or not at all, in the format that their name says."""

import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
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
# A part is written in one go, once the cutout is there.
LEFT_BEHIND_S = 60


def _usual_rights() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask


# Asked once, before there are threads: it can't be asked without being changed for a moment.
RIGHTS = _usual_rights()


class OutputExists(ClientError):
    """A file is in the way, and nobody said that it may be replaced."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is there already: --force replaces it")


def format_of(path: Path) -> OutputFormat:
    """Return the format of a file by its name.

    Raises:
        UsageError: the name says none.
    """
    try:
        return SUFFIXES[path.suffix.lower()]
    except KeyError:
        known = ", ".join(SUFFIXES)
        raise UsageError(f"{path}: let the name end in one of {known}") from None


def suffix_of(output_format: OutputFormat) -> str:
    """Return what the name of a file in a format ends in; that of `auto` is not known before."""
    return next(suffix for suffix, known in SUFFIXES.items() if known is output_format)


def write_whole(path: Path, content: bytes, *, force: bool) -> None:
    """Write a file so that, whenever the process or the machine ends, no half of it is there.

    Folders that lack are made.

    Raises:
        OutputExists: it is there, and `force` is not set.
        OSError: it can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(PART_SUFFIX, PART_PREFIX, path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(RIGHTS)
        if force:
            part.replace(path)
        else:
            _put_if_free(part, path)
    finally:
        part.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the parts that killed runs left in a folder and below."""
    for part in folder.rglob(f"{PART_PREFIX}*{PART_SUFFIX}"):
        with suppress(FileNotFoundError):  # it is in use, and has been put into place
            if time.time() - part.stat().st_mtime > LEFT_BEHIND_S:
                part.unlink()


def _put_if_free(part: Path, path: Path) -> None:
    try:
        path.hardlink_to(part)
    except FileExistsError as error:
        raise OutputExists(path) from error
    except OSError:  # some file systems know no links
        if os.path.lexists(path):
            raise OutputExists(path) from None
        part.replace(path)
