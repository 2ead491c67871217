"""Build the model archive: all that TorchServe needs to serve a model, in one reproducible file.

``torch-model-archiver`` gathers the members; they are then written without anything of the moment,
so that the same inputs give the same bytes.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from scripts.archive.handler_file import (
    HANDLER,
    archived_modules,
    checked_handler,
)
from scripts.archive.record import (
    record_of,
    verify_bytes,
    write_record,
)
from scripts.common.errors import CommandError
from scripts.common.locks import locked
from scripts.common.options import parse
from scripts.common.paths import ROOT, weights_of
from scripts.export.choose import AUTO, choices, export_best
from scripts.export.parity import PARITY_FILE
from scripts.torchserve.properties import read_properties
from scripts.torchserve.versions import checked_version
from scripts.weights.photos import EVALUATION
from scripts.weights.pinned_files import fetching
from u2net_cutout.contract.limits import Limits
from u2net_cutout.local.member_names import MANIFEST
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.metadata import METADATA_FILE, ModelMetadata
from u2net_cutout.network.variant import VARIANTS

MODEL_CONFIG = ROOT / "handler" / "model-config.yaml"
REQUIREMENTS = ROOT / "model_requirements.txt"
SERVER_CONFIG = ROOT / "config.properties"

# Zip can't tell an earlier time.
EPOCH = (1980, 1, 1, 0, 0, 0)
EPOCH_IN_MANIFEST = "01/01/1980 00:00:00"


class ArchiveError(CommandError):
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
    others = (handler, MODEL_CONFIG, REQUIREMENTS, Path(__file__))
    members = {path.name: path for path in others} | archived_modules(handler)
    for name, path in members.items():
        digest.update(f"{name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
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
    serialized, *others = (network / name for name in metadata.files_sha256)
    # The archiver unpacks a folder into the archive's root. One of its own, so that nothing travels
    # that only lies beside the modules.
    extra = scratch / "extra"
    extra.mkdir()
    for name, module in archived_modules(handler).items():
        (extra / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(module, extra / name)
    for file in (*others, network / PARITY_FILE):
        shutil.copyfile(file, extra / file.name)
    (extra / METADATA_FILE).write_text(metadata.to_json(), encoding="utf-8")
    config = scratch / MODEL_CONFIG.name
    config.write_text(_model_config(metadata), encoding="utf-8")
    # The archiver empties <temporary folder>/<model name> without asking: give it one of its own.
    staging = scratch / "staging"
    staging.mkdir()
    command = [
        *(sys.executable, "-m", "model_archiver.model_packaging", "--model-name", model),
        *("--version", version, "--handler", str(handler), "--serialized-file", str(serialized)),
        *("--extra-files", str(extra)),
        *("--requirements-file", str(REQUIREMENTS), "--config-file", str(config)),
        *("--archive-format", "no-archive", "--export-path", str(scratch)),
    ]
    environment = {**os.environ, "TMPDIR": str(staging)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it does not say why"])[-1]
        raise ArchiveError(f"torch-model-archiver failed: {reason}")
    return scratch / model


def _model_config(metadata: ModelMetadata) -> str:
    """Return the text of ``model-config.yaml``, with what it leaves to the model."""
    text = MODEL_CONFIG.read_text(encoding="utf-8")
    timeout_s = VARIANTS[metadata.variant].response_timeout_s
    defaults: dict[str, object] = {"responseTimeout": timeout_s}
    if metadata.device == "cpu":
        # TorchServe assigns a GPU wherever it finds one, whatever the archive was built for.
        defaults["deviceType"] = "cpu"
    given = yaml.safe_load(text)
    added = {name: value for name, value in defaults.items() if name not in given}
    return text + "\n# The model's own.\n" + yaml.safe_dump(added) if added else text


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


def archive(line: Sequence[str]) -> None:
    """Build the archive of a model, of weights that are fetched if need be."""
    arguments = parse(
        "archive",
        "Build the archive of a model.",
        line,
        "build",
        "model",
        "checkpoint",
        "pip-args",
        version="1.0",
        precision=AUTO,
        runtime=AUTO,
        handler=HANDLER,
    )
    arguments.build.mkdir(parents=True, exist_ok=True)
    with locked(arguments.build, f"another make archive uses {arguments.build}; waiting for it"):
        _archive(arguments)


def _archive(arguments: Any) -> None:
    build, model = arguments.build, arguments.model
    candidates = choices(arguments.runtime, arguments.precision)
    weights = weights_of(build, model)
    stored = weights.exists() and weights.with_suffix(".json").exists()
    photos = build / "photos"
    # What imports torch is imported here, since that takes seconds. The network's export verifies
    # what is stored.
    if arguments.checkpoint:
        from scripts.weights.fetch import import_checkpoint

        import_checkpoint(model, arguments.checkpoint, weights.parent)
    elif not stored:
        # Meanwhile, the photos that the network's export measures on.
        with fetching(EVALUATION, photos, arguments.pip_args):
            from scripts.weights.fetch import fetch_weights

            fetch_weights(model, weights.parent, arguments.pip_args)
    try:
        network = export_best(weights, build / "networks", photos, arguments.pip_args, candidates)
    except ModelLoadError as error:
        raise ArchiveError(str(error)) from error
    build_archive(model, arguments.version, network, build / "model-store", arguments.handler)
