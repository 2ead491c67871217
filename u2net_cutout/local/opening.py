"""Opens an archive in this process. Loads torch only then."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from u2net_cutout.client.errors import UsageError

if TYPE_CHECKING:
    from u2net_cutout.local.archive_file import ArchiveFile
    from u2net_cutout.local.model import CutoutModel


def open_archive(path: str | os.PathLike[str], *, threads: int | None = None) -> "CutoutModel":
    """Open a model archive that ``make archive`` built, and load its network once.

    `threads` is how many the network runs in, by default ``OMP_NUM_THREADS`` or one for each CPU.
    Nothing in the archive is executed, and nothing of it stays on the disk.

    Raises:
        ArchiveUnusable: it is missing, damaged, of another kind or version, or not for here.
        UsageError: packages are missing, or `threads` is not above 0.
    """
    used = usable_cpus() if threads is None else threads
    if used < 1:
        raise UsageError(f"threads must be 1 or more, not {threads}")
    archive = read_archive(Path(path))
    with _packages():
        from u2net_cutout.local.model import load_model
    return load_model(archive, used)


def read_archive(path: Path) -> "ArchiveFile":
    """Return what an archive says of itself; needs neither torch nor much time.

    Raises:
        ArchiveUnusable, UsageError: as `open_archive`.
    """
    with _packages():
        from u2net_cutout.local.archive_file import ArchiveFile
    return ArchiveFile.read(path)


@contextmanager
def _packages() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"an archive needs more packages ({error}): pip install 'u2net-cutout[local]'"
        ) from error


def usable_cpus() -> int:
    """Return how many threads may compute: ``OMP_NUM_THREADS``, or one for each usable CPU."""
    by_hand = os.environ.get("OMP_NUM_THREADS", "")
    return int(by_hand) if by_hand.isdecimal() else len(os.sched_getaffinity(0))
