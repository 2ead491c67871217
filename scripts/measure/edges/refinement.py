"""Measure how much nearer to the truth a refined matte is than the network's own.

The network looks at photos that are laid over photos with a known alpha; those whose subject it
finds (IoU of at least 0.8) count. Its matte, enlarged bilinearly, is compared with our refinement
of it, and with pymatting's closed form, which gets what is between 0.03 and 0.97 as unknown. It
takes most of the time, and can be left out. Errors are those of the whole picture. Everything runs
on one thread.
"""

import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

os.environ |= {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import torch
from PIL import Image

from scripts.common.options import OptionParser
from scripts.common.paths import weights_of
from scripts.measure.edges.composites import PHOTOS, SUBJECTS, Composite, subjects
from scripts.measure.edges.metrics import (
    Floats,
    absolute_difference,
    connectivity_error,
    gradient_error,
    squared_error,
)
from scripts.measure.kit.errors import BenchError
from scripts.weights.convert import folded_network, read_weights
from scripts.weights.variants import variant_named
from u2net_cutout.matting.alpha import alpha_matte
from u2net_cutout.matting.refinement import refine
from u2net_cutout.network.inputs import HostInput
from u2net_cutout.network.u2net import SaliencyNetwork

try:
    from pymatting import estimate_alpha_cf
except ImportError:
    estimate_alpha_cf = None

MISSING = "pymatting, the reference, is not installed: make edges installs it"

# 1.5 megapixels.
SIZE = (1500, 1000)
# From which overlap of its matte and the truth the network has found the subject.
FOUND = 0.8
UNKNOWN = (0.03, 0.97)
OWN, OURS, REFERENCE = "bilinear", "ours", "closed form"
# The shapes whose edges are finer than the network sees, and the share of closed form's gain that
# is asked for there; how much worse than bilinear a matte may be on any single composite.
FINE = ("tuft", "spokes")
LEAST_SHARE = 0.5
MOST_LOSS = 1.05


@dataclass
class Row:
    """What the methods did on one shape: a value a composite, by measure or seconds, by method."""

    shape: str
    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, measure: str, method: str, value: float) -> None:
        """Note a value of one composite."""
        self.values.setdefault((measure, method), []).append(value)

    def mean(self, measure: str, method: str) -> float:
        """Return the mean over all composites."""
        return statistics.fmean(self.values[measure, method])

    def worst_ratio(self) -> float:
        """Return ours over bilinear in SAD, on the composite where that is highest."""
        pairs = zip(self.values["SAD", OURS], self.values["SAD", OWN], strict=True)
        return max(ours / bilinear for ours, bilinear in pairs)

    def share_of_gain(self) -> float:
        """Return our gain over bilinear in SAD as a share of closed form's."""
        bilinear, ours, closed = (self.mean("SAD", method) for method in (OWN, OURS, REFERENCE))
        return (bilinear - ours) / (bilinear - closed)


MEASURES: dict[str, Callable[[Floats, Floats], float]] = {
    "SAD": absolute_difference,
    "MSE": squared_error,
    "gradient": gradient_error,
    "connectivity": connectivity_error,
}


def measure(
    network: SaliencyNetwork, size: tuple[int, int], photos: Sequence[str], methods: Sequence[str]
) -> list[Row]:
    """Run each method on each shape and photo."""
    rows = []
    for shape in SUBJECTS:
        row = Row(shape)
        for composite in subjects(shape, size, photos):
            matte = first_look(network, composite.picture)
            overlap = _overlap(matte, composite.alpha)
            print(f"{shape}: {composite.name}, IoU {overlap:.3f}", file=sys.stderr, flush=True)
            if overlap >= FOUND:
                _measure(row, composite, matte, network.variant.resolution, methods)
        if row.values:
            rows.append(row)
    return rows


@torch.inference_mode()
def first_look(network: SaliencyNetwork, picture: Image.Image) -> Image.Image:
    """Return the network's own matte, as it is served without refinement."""
    saliency = network(HostInput(network.variant).prepare(picture)[None])[0, 0]
    return alpha_matte(saliency, picture.size, rounded_last=network.variant.rounded_last)


def closed_form(picture: Image.Image, matte: Image.Image) -> Floats:
    """Estimate alpha as Levin et al. 2008 do, by pymatting's program."""
    known = _floats(matte).astype(np.float64)
    trimap = np.where(known <= UNKNOWN[0], 0, np.where(known >= UNKNOWN[1], 1, 0.5))
    with warnings.catch_warnings(action="ignore"):
        alpha: Floats = estimate_alpha_cf(_floats(picture).astype(np.float64), trimap)
    return alpha


def format_table(rows: list[Row], methods: Sequence[str]) -> str:
    """Write the rows as a Markdown table; each cell holds a value a method."""
    lines = [
        f"| {' / '.join(methods)} | found | {' | '.join(MEASURES)} | ours / bilinear, worst SAD "
        "| seconds, mean (most) |",
        "|---" * (len(MEASURES) + 4) + "|",
    ]
    for row in rows:
        cells = [
            " / ".join(f"{row.mean(measure, method):.3g}" for method in methods)
            for measure in MEASURES
        ]
        seconds = (
            f"{row.mean('seconds', method):.2f} ({max(row.values['seconds', method]):.2f})"
            for method in methods
        )
        lines.append(
            f"| {row.shape} | {len(row.values['SAD', OURS])} | {' | '.join(cells)} "
            f"| {row.worst_ratio():.2f} | {' / '.join(seconds)} |"
        )
    return "\n".join(lines)


def _measure(
    row: Row, composite: Composite, matte: Image.Image, resolution: int, methods: Sequence[str]
) -> None:
    estimates: dict[str, Callable[[], Floats]] = {
        OWN: lambda: _floats(matte),
        OURS: lambda: _floats(refine(composite.picture, matte, resolution)),
        REFERENCE: lambda: closed_form(composite.picture, matte),
    }
    truth = _floats(composite.alpha)
    for method in methods:
        start = time.perf_counter()
        estimate = estimates[method]()
        row.add("seconds", method, time.perf_counter() - start)
        for name, error in MEASURES.items():
            row.add(name, method, error(estimate, truth))


def _overlap(matte: Image.Image, truth: Image.Image) -> float:
    first, second = (np.asarray(layer) > 127 for layer in (matte, truth))
    return float((first & second).sum() / max(1, (first | second).sum()))


def _floats(picture: Image.Image) -> Floats:
    return np.asarray(picture, np.float32) / 255


def edges_refinement(line: Sequence[str]) -> None:
    """Print the table; beside the reference, exit with 1 if a shape misses the target."""
    parser = OptionParser("edges-refinement", "Measure refined mattes against pymatting.")
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("WIDTH", "HEIGHT"))
    parser.add_argument(
        "--without-reference", action="store_true", help="leave pymatting's closed form out"
    )
    parser.take("build", "model", "pictures")
    arguments = parser.parse_args(line)
    photos = (
        sorted(map(str, arguments.pictures.resolve().iterdir())) if arguments.pictures else PHOTOS
    )
    methods = (OWN, OURS) if arguments.without_reference else (OWN, OURS, REFERENCE)
    if REFERENCE in methods and estimate_alpha_cf is None:
        raise BenchError(MISSING)
    torch.set_num_threads(1)
    variant = variant_named(arguments.model)
    rows = measure(
        folded_network(read_weights(weights_of(arguments.build, variant.name), variant), variant),
        tuple(arguments.size),
        photos,
        methods,
    )
    size = f"{arguments.size[0]} x {arguments.size[1]}"
    print(f"{variant.name} in float32, {size}, one thread;")
    print("SAD, gradient and connectivity in thousands\n")
    print(format_table(rows, methods))
    if REFERENCE not in methods:
        return
    worst = max(row.worst_ratio() for row in rows)
    least = min(row.share_of_gain() for row in rows if row.shape in FINE)
    for row in rows:
        print(f"{row.shape}: {row.share_of_gain():.2f} of closed form's gain")
    print(f"\nworst ratio {worst:.2f} (at most {MOST_LOSS}), least share of closed form's gain on")
    print(f"{' and '.join(FINE)} {least:.2f} (at least {LEAST_SHARE})")
    sys.exit(worst > MOST_LOSS or least < LEAST_SHARE)
