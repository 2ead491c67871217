"""Build the model archive: all that TorchServe needs to serve a model, in one reproducible file.

``torch-model-archiver`` gathers the members; they are then written without anything of the moment,
so that the same inputs give the same bytes.
"""

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import yaml

from archive_record import (
    MANIFEST,
    ArchiveRecordError,
    record_of,
    verify_bytes,
    write_record,
)
from cutout_limits import Limits
from export_network import AUTO, ChoiceError, choices, export_best
from handler_module import HANDLER, HandlerError, checked_handler, modules_beside
from model_metadata import METADATA_FILE, ModelMetadata
from model_version import VersionError, checked_version
from parity import PARITY_FILE, ParityError
from runtime_errors import ModelLoadError
from server_config import read_properties
from weights_record import WeightsError
from wheel_data import WheelDataError

ROOT = Path(__file__).resolve().parents[1]
MODEL_CONFIG = ROOT / "handler" / "model-config.yaml"
REQUIREMENTS = ROOT / "model_requirements.txt"
SERVER_CONFIG = ROOT / "config.properties"

# Zip can't tell an earlier time.
EPOCH = (1980, 1, 1, 0, 0, 0)
EPOCH_IN_MANIFEST = "01/01/1980 00:00:00"


class ArchiveError(Exception):
    """The archive can't be built; the message says why and what to do."""


def build_archive(
    model: str, version: str, network: Path, store: Path, handler: Path = HANDLER
) -> Path:
    """Write ``<model>.mar`` into `store`, unless it is there and up to date; return its path.

    `network` is a folder that ``export_network`` wrote. The record of the archive is written beside
    it; one without a record is built anew.

    Raises:
        ArchiveError: limits contradict the server's, or the archiver fails.
        HandlerError: TorchServe would not take the handler.
        ArchiveRecordError: an archive is there that is not what its record says.
        VersionError: no version can be called so.
    """
    checked_version(version)
    checked_handler(handler)
    check_limits(MODEL_CONFIG, SERVER_CONFIG)
    exported = ModelMetadata.read(network)
    digest = _digest(model, version, exported.sources_sha256, handler)
    metadata = replace(exported, sources_sha256=digest)
    archive = store / f"{model}.mar"
    record = record_of(archive)
    if archive.exists() and record.exists():
        verify_bytes(archive)
    if record.exists() and archived_metadata(archive) == metadata:
        print(f"{archive} is up to date: version {version}, {metadata.precision}")
        return archive
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.parent) as scratch:
        members = _gather(model, version, network, handler, metadata, Path(scratch))
        packed = Path(scratch) / archive.name
        _pack(members, packed)
        # Without a record meanwhile: who is interrupted here builds it again.
        record.unlink(missing_ok=True)
        packed.replace(archive)
    write_record(archive)
    print(
        f"{archive}: version {version}, {metadata.precision} on {metadata.runtime}, masks within "
        f"{metadata.parity['mean_error']:.4f} of float32's"
    )
    return archive


def archived_metadata(archive: Path) -> ModelMetadata | None:
    """Read the metadata of an archive; None if there is no sound archive of this kind."""
    try:
        with zipfile.ZipFile(archive) as members:
            if members.testzip() is not None:
                return None
            return ModelMetadata.from_json(members.read(METADATA_FILE))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def check_limits(model_config: Path, server_config: Path) -> None:
    """Make sure that TorchServe carries what the handler allows; it kills workers otherwise.

    Raises:
        ArchiveError: it would not.
    """
    limits = Limits.from_config(yaml.safe_load(model_config.read_text(encoding="utf-8")))
    properties = read_properties(server_config)
    # base64 is a third longer; the rest is for the form around it.
    request_bytes = limits.max_file_bytes * 4 // 3 + 65536
    for name, needed in (
        ("max_request_size", request_bytes),
        ("max_response_size", limits.max_response_bytes),
    ):
        if int(properties.get(name, "6553500")) < needed:
            raise ArchiveError(
                f"the limits in {model_config.name} need {name}={needed} or more in "
                f"{server_config.name}; it has {properties.get(name)}"
            )


def _digest(model: str, version: str, network: str, handler: Path) -> str:
    digest = hashlib.sha256(f"{model}\0{version}\0{network}\0".encode())
    for path in (handler, *modules_beside(handler), MODEL_CONFIG, REQUIREMENTS, Path(__file__)):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _gather(
    model: str,
    version: str,
    network: Path,
    handler: Path,
    metadata: ModelMetadata,
    scratch: Path,
) -> Path:
    """Let the archiver lay the members out in a folder; return the folder."""
    described = scratch / METADATA_FILE
    described.write_text(metadata.to_json(), encoding="utf-8")
    config = scratch / MODEL_CONFIG.name
    text = MODEL_CONFIG.read_text(encoding="utf-8")
    if metadata.device == "cpu" and "deviceType" not in yaml.safe_load(text):
        # TorchServe assigns a GPU wherever it finds one, whatever the archive was built for.
        text += "\n# The network was built for the CPU and measured on it.\ndeviceType: cpu\n"
    config.write_text(text, encoding="utf-8")
    serialized, *others = (network / name for name in metadata.files_sha256)
    others.append(network / PARITY_FILE)
    # The archiver empties <temporary folder>/<model name> without asking: give it one of its own.
    staging = scratch / "staging"
    staging.mkdir()
    command = [
        *(sys.executable, "-m", "model_archiver.model_packaging", "--model-name", model),
        *("--version", version, "--handler", str(handler), "--serialized-file", str(serialized)),
        *("--extra-files", ",".join(map(str, (*modules_beside(handler), *others, described)))),
        *("--requirements-file", str(REQUIREMENTS), "--config-file", str(config)),
        *("--archive-format", "no-archive", "--export-path", str(scratch)),
    ]
    environment = {**os.environ, "TMPDIR": str(staging)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ArchiveError(f"torch-model-archiver failed:\n{done.stderr.strip()}")
    return scratch / model


def _pack(members: Path, archive: Path) -> None:
    """Zip a folder; neither time, order, permissions nor zlib's version leave a trace."""
    manifest = members / MANIFEST
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["createdOn"] = EPOCH_IN_MANIFEST
    manifest.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(path for path in members.rglob("*") if path.is_file()):
            member = zipfile.ZipInfo(path.relative_to(members).as_posix(), EPOCH)
            member.create_system = 3
            member.external_attr = 0o100644 << 16
            packed.writestr(member, path.read_bytes())


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="name of the model, and of its weights")
    parser.add_argument("--version", required=True, help="version to register it under")
    parser.add_argument("--build", type=Path, required=True, help="folder of all that is generated")
    parser.add_argument("--runtime", default=AUTO, help="library that runs the network")
    parser.add_argument("--precision", default=AUTO, help="what the network calculates in")
    parser.add_argument(
        "--pip-args", default="", help="further arguments of pip download, in one string"
    )
    parser.add_argument(
        "--handler", type=Path, default=HANDLER, help="file of the class that TorchServe takes"
    )
    arguments = parser.parse_args()
    build, pip_arguments = arguments.build, shlex.split(arguments.pip_args)
    weights = build / "weights" / f"{arguments.model}.pth"
    try:
        candidates = choices(arguments.runtime, arguments.precision)
        network = export_best(
            weights, build / "networks", build / "photos", pip_arguments, candidates
        )
        store = build / "model-store"
        build_archive(arguments.model, arguments.version, network, store, arguments.handler)
    except FAILURES as error:
        sys.exit(f"make archive: {error}")


FAILURES = (
    *(ArchiveError, ArchiveRecordError, ChoiceError, HandlerError, ModelLoadError),
    *(ParityError, VersionError, WeightsError, WheelDataError),
)


if __name__ == "__main__":
    main()
