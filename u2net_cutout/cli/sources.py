"""Pictures and the files of their cutouts: single ones, several, or a mirrored tree of folders."""

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from u2net_cutout.cli.outputs import suffix_of
from u2net_cutout.client.errors import UsageError
from u2net_cutout.contract.formats import OutputFormat

PICTURE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif"),
        *(".tif", ".tiff", ".bmp", ".gif", ".heic", ".heif"),
    }
)


@dataclass(frozen=True)
class Job:
    """A picture and the file that its cutout goes to."""

    source: Path
    target: Path
    """Without its suffix, where the format depends on the response."""
    formats: tuple[OutputFormat, ...]
    """The formats that the target may get."""
    replaces: bool = False
    """Whether it replaces a file that exists."""

    def existing(self) -> Path | None:
        """Return the cutout's file if it exists; a link does, wherever it leads."""
        return next(filter(os.path.lexists, map(self.target_as, self.formats)), None)

    def target_as(self, output_format: OutputFormat) -> Path:
        """Return the file to write a cutout of this format to."""
        if len(self.formats) == 1:
            return self.target
        return self.target.with_name(self.target.name + suffix_of(output_format))


@dataclass(frozen=True)
class Plan:
    """The jobs, and the pictures that have none because their cutouts would be the same file."""

    jobs: list[Job]
    clashes: dict[Path, str]
    """By picture, the reason."""


def find_pictures(folder: Path, apart_from: Path) -> tuple[list[Path], dict[Path, OSError]]:
    """List the pictures in a folder and below, by their names' suffixes, in order.

    Hidden files and folders are left out, and so is the folder `apart_from`. Links to folders are
    not followed. Folders below that can't be read, or are gone by now, are returned with
    the reason.

    Raises:
        UsageError: the folder can't be read.
    """
    unread: dict[Path, OSError] = {}

    def fail(error: OSError) -> None:
        place = Path(error.filename)
        if place == folder:
            raise UsageError(f"{place} can't be read: {error.strerror}")
        unread[place] = error

    apart = apart_from.resolve()
    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=fail):
        here = Path(place)
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and (here / name).resolve() != apart
        ]
        found += [
            here / name
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in PICTURE_SUFFIXES
        ]
    return sorted(found), unread


def plan(
    pictures: Iterable[Path],
    source_root: Path | None,
    target_root: Path,
    output_format: OutputFormat,
    *,
    full_names: bool = False,
) -> Plan:
    """Give each picture its file below `target_root`.

    It lies there as the picture does below `source_root`; without one, all lie side by side. With
    `full_names` the picture's own suffix stays: ``a.jpg`` becomes ``a.jpg.png``. Otherwise two
    pictures may have the same file, and then neither gets a job.
    """
    wanted: dict[Path, list[Job]] = defaultdict(list)
    auto = output_format is OutputFormat.AUTO
    formats = (OutputFormat.PNG, OutputFormat.JPG) if auto else (output_format,)
    for picture in pictures:
        relative = picture.relative_to(source_root) if source_root else Path(picture.name)
        stem = relative.name if full_names else relative.stem
        name = stem if auto else stem + suffix_of(output_format)
        target = target_root / relative.with_name(name)
        wanted[target].append(Job(picture, target, formats))
    jobs, clashes = [], {}
    for target, rivals in wanted.items():
        if len(rivals) == 1:
            jobs += rivals
            continue
        for job in rivals:
            other = next(rival.source for rival in rivals if rival is not job)
            clashes[job.source] = (
                f"{other} would become {target} as well: --full-names keeps them apart"
            )
    return Plan(jobs, clashes)
