"""What a model archive must be: its SHA-256, kept beside it, and the names and sums inside it.

The record is a file that ``sha256sum -c`` takes, to be signed or sent along with the archive.
"""

import hashlib
import json
import zipfile
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.common.files import sha256_of
from u2net_cutout.local.member_names import MANIFEST, check_names
from u2net_cutout.network.metadata import METADATA_FILE, ModelMetadata


class ArchiveRecordError(CommandError):
    """An archive is not what it should be; the message says how it differs and what to do."""


def record_of(archive: Path) -> Path:
    """Return where the record of an archive is: beside it, as ``<model>.mar.sha256``."""
    return archive.with_name(f"{archive.name}.sha256")


def write_record(archive: Path) -> Path:
    """Write the record of an archive that has just been built; return it."""
    record = record_of(archive)
    record.write_text(f"{sha256_of(archive)}  {archive.name}\n", encoding="utf-8")
    return record


def verify_bytes(archive: Path, record: Path | None = None) -> str:
    """Hold an archive against its record, by default the one beside it; return its SHA-256.

    Raises:
        ArchiveRecordError: it differs, or one of the two can't be read.
    """
    record = record or record_of(archive)
    recorded = _recorded(archive, record)
    try:
        found = sha256_of(archive)
    except OSError as error:
        raise ArchiveRecordError(f"{archive} can't be read: make archive") from error
    if found != recorded:
        raise ArchiveRecordError(
            f"{archive} has SHA-256 {found}, but {record} says {recorded}: it is damaged "
            f"or was replaced. If you know why, delete it and {record_of(archive).name}, then make "
            "archive"
        )
    return found


def verify_archive(
    archive: Path, model: str, version: str | None = None, record: Path | None = None
) -> ModelMetadata:
    """Prove an archive: every byte by its record, then what is inside by its own metadata.

    `version` None: whatever it is of.

    Raises:
        ArchiveRecordError: it is not what is recorded, of another model or version, or something
            in it does not match.
    """
    verify_bytes(archive, record)
    try:
        with zipfile.ZipFile(archive) as members:
            check_names(members.namelist())
            if (damaged := members.testzip()) is not None:
                raise ArchiveRecordError(f"{damaged} in {archive} is damaged")
            metadata = ModelMetadata.from_json(members.read(METADATA_FILE))
            described = json.loads(members.read(MANIFEST))["model"]
            _check_identity(archive, described, model, version)
            _check_network(archive, members, metadata)
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ArchiveRecordError(
            f"{archive} matches its record, but is not a cutout archive ({error}): make archive"
        ) from error
    return metadata


def _recorded(archive: Path, record: Path) -> str:
    try:
        lines = record.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ArchiveRecordError(
            f"{archive} can't be verified: {record} can't be read. If you built the archive: make "
            "archive. Otherwise get the record from the archive's publisher"
        ) from error
    for line in lines:
        digest, _, name = line.partition(" ")
        # sha256sum marks a file that it read as binary by a star.
        if name.lstrip(" *") == archive.name:
            return digest.lower()
    raise ArchiveRecordError(f"{record} has no entry for {archive.name}")


def _check_identity(
    archive: Path, described: dict[str, str], model: str, version: str | None
) -> None:
    found = described["modelName"], described["modelVersion"]
    if found != (model, version or found[1]):
        wanted = f"{model} {version}" if version else model
        raise ArchiveRecordError(
            f"{archive} holds {' '.join(found)}, not {wanted}: make archive MODEL={model}"
            + (f" VERSION={version}" if version else "")
        )


def _check_network(archive: Path, members: zipfile.ZipFile, metadata: ModelMetadata) -> None:
    for name, expected in metadata.files_sha256.items():
        found = hashlib.sha256(members.read(name)).hexdigest()
        if found != expected:
            raise ArchiveRecordError(
                f"{name} in {archive} has SHA-256 {found}, but its {METADATA_FILE} says "
                f"{expected}: make archive"
            )
