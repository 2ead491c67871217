"""Prove what `make serve` would serve: the weights and the archive, each against its record."""

from collections.abc import Sequence
from pathlib import Path

from scripts.archive.record import record_of, verify_archive
from scripts.common.files import sha256_of
from scripts.common.options import parse
from scripts.common.paths import archive_of, weights_of
from scripts.weights.record import WeightsError, WeightsRecord


def verify_weights(weights: Path) -> None:
    """Prove a weights file, and the file that it was converted from if that is there; report it.

    Raises:
        WeightsError: one of them is not what was recorded.
    """
    record = WeightsRecord.beside(weights)
    print(f"{weights}: SHA-256 {record.sha256}, as recorded; {record.license}")
    print(f"  converted from {record.source}")
    export = weights.with_suffix(".onnx")
    if export.exists():
        # The record names what was downloaded, whose sum is pinned in fetch_weights.py.
        if f"sha256 {sha256_of(export)}" not in record.source:
            raise WeightsError(
                f"{weights.name} was not converted from {export}: delete "
                f"{weights.stem}.* there, then make weights"
            )
        print(f"{export}: as the record names it")


def verify_model(build: Path, model: str, record: Path | None) -> None:
    """Prove the archive of a model and, where they are, the weights it was built from; report it.

    Raises:
        ArchiveRecordError, WeightsError: something is not what was recorded.
    """
    weights = weights_of(build, model)
    if weights.exists():
        verify_weights(weights)
    archive = archive_of(build, model)
    metadata = verify_archive(archive, model, record=record)
    print(f"{archive}: SHA-256 as in {record or record_of(archive)}; every member is whole")
    for name, digest in metadata.files_sha256.items():
        print(f"  {name}: SHA-256 {digest}, as its metadata says")
    print(f"  {metadata.precision} on {metadata.runtime}; {metadata.license}")
    print(f"  weights: {metadata.weights_source}")


def verify(line: Sequence[str]) -> None:
    """Verify the weights and the archive of a model against their records."""
    arguments = parse("verify", "Verify weights and archive.", line, "build", "model", "record")
    verify_model(arguments.build, arguments.model, arguments.record)
