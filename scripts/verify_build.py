"""Prove what `make serve` would serve: the weights and the archive, each against its record."""

import argparse
import sys
from pathlib import Path

from archive_record import ArchiveRecordError, record_of, verify_archive
from weights_record import WeightsError, WeightsRecord
from wheel_data import sha256_of


def verify_weights(weights: Path) -> None:
    """Prove a weights file, and the file that it was converted from if that is there; say so.

    Raises:
        WeightsError: one of them is not what was recorded.
    """
    record = WeightsRecord.beside(weights)
    print(f"{weights}: SHA-256 {record.sha256}, as recorded; {record.license}")
    print(f"  made of {record.source}")
    export = weights.with_suffix(".onnx")
    if export.exists():
        # The record names what was downloaded, whose sum is pinned in fetch_weights.py.
        if f"sha256 {sha256_of(export)}" not in record.source:
            raise WeightsError(
                f"{export} is not what {weights.name} was made of: delete {weights.stem}.* there, "
                "then make weights"
            )
        print(f"{export}: as the record names it")


def verify_model(build: Path, model: str, record: Path | None) -> None:
    """Prove the archive of a model and, where they are, the weights it was built from; say so.

    Raises:
        ArchiveRecordError, WeightsError: something is not what was recorded.
    """
    weights = build / "weights" / f"{model}.pth"
    if weights.exists():
        verify_weights(weights)
    archive = build / "model-store" / f"{model}.mar"
    metadata = verify_archive(archive, model, record=record)
    print(f"{archive}: SHA-256 as in {record or record_of(archive)}; every member is whole")
    for name, digest in metadata.files_sha256.items():
        print(f"  {name}: SHA-256 {digest}, as its metadata says")
    print(f"  {metadata.precision} on {metadata.runtime}; {metadata.license}")
    print(f"  weights: {metadata.weights_source}")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--build", type=Path, required=True, help="folder of all that is generated")
    parser.add_argument("--record", type=Path, help="one from elsewhere, as a published one")
    arguments = parser.parse_args()
    try:
        verify_model(arguments.build, arguments.model, arguments.record)
    except (ArchiveRecordError, WeightsError) as error:
        sys.exit(f"make verify: {error}")


if __name__ == "__main__":
    main()
