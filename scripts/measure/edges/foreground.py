"""Measure what is left of the old background in the edges of cutouts, and what taking it out costs.

Photos are laid over photos with a known alpha; each method gets the composite and the alpha, and
its colours are compared with the true foreground's. The reference is the multi-level estimate of
pymatting. Rows that end in "at 320" hand out the alpha as a network of 320 x 320 would see it.

Each method runs on one thread. Pin the process to one core for its times to mean that:
taskset -c 0.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

# Numba and the linear algebra below numpy read these once, when they are imported.
os.environ |= {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import numpy as np
import torch
from PIL import Image

from scripts.common.options import OptionParser
from scripts.measure.edges.composites import (
    NETWORK_SIZE,
    PHOTOS,
    SHAPES,
    Composite,
    composites,
    seen_by_the_network,
)
from scripts.measure.edges.metrics import Floats, colour_error
from scripts.measure.kit.errors import BenchError
from u2net_cutout.matting.foreground import decontaminate

try:
    from pymatting import estimate_foreground_ml
except ImportError:
    estimate_foreground_ml = None

MISSING = "pymatting, the reference, is not installed: make edges installs it"

# 1.5 megapixels.
SIZE = (1500, 1000)
# What the cheap estimate may be off by, and may take.
MOST_ERROR = 1.15
MOST_MS = 40

Method = Callable[[Image.Image, Image.Image], Image.Image]


@dataclass
class Row:
    """What the methods did on one shape: an error a composite, milliseconds a run, by method."""

    shape: str
    errors: dict[str, list[float]] = field(default_factory=dict)
    times_ms: dict[str, list[float]] = field(default_factory=dict)

    def error(self, method: str) -> float:
        """Return the mean colour error over all composites."""
        return statistics.fmean(self.errors[method])


def plain(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    """Leave the picture's colours as they are."""
    return picture


def multi_level(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    """Estimate the foreground as Germer et al. 2020 do, by their own program."""
    colours = estimate_foreground_ml(_floats(picture), _floats(alpha))
    return Image.fromarray((colours * 255).round().astype(np.uint8))


def ours(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    """Estimate the foreground as a server of U²-Net does."""
    return decontaminate(picture, alpha, NETWORK_SIZE[0])


METHODS: dict[str, Method] = {"plain": plain, "ours": ours, "multi-level": multi_level}


def measure(size: tuple[int, int], runs: int) -> list[Row]:
    """Run each method on each shape and photo; the times are of the last photo, `runs` times."""
    rows = []
    for shape in SHAPES:
        exact, seen = Row(shape), Row(f"{shape} at 320")
        for composite in composites(shape, size):
            print(f"{shape}: {composite.name}", file=sys.stderr, flush=True)
            _add_errors(exact, composite, composite.alpha)
            _add_errors(seen, composite, seen_by_the_network(composite.alpha))
        _add_times(exact, composite, composite.alpha, runs)
        _add_times(seen, composite, seen_by_the_network(composite.alpha), runs)
        rows += [exact, seen]
    return rows


def format_table(rows: list[Row]) -> str:
    """Write the rows as a Markdown table, errors in thousandths."""
    lines = [
        f"| colour error x 1000 | {' | '.join(METHODS)} | ours / multi-level "
        "| ours, ms: least (median) | multi-level, ms |",
        "|---" * (len(METHODS) + 4) + "|",
    ]
    for row in rows:
        errors = " | ".join(f"{row.error(method) * 1000:.1f}" for method in METHODS)
        ratio = row.error("ours") / row.error("multi-level")
        times = [
            f"{min(row.times_ms[method]):.0f} ({statistics.median(row.times_ms[method]):.0f})"
            for method in ("ours", "multi-level")
        ]
        lines.append(f"| {row.shape} | {errors} | {ratio:.2f} | {' | '.join(times)} |")
    return "\n".join(lines)


def _add_errors(row: Row, composite: Composite, alpha: Image.Image) -> None:
    truth, shares = _floats(composite.foreground), _floats(alpha)
    for name, method in METHODS.items():
        colours = _floats(method(composite.picture, alpha).convert("RGB"))
        row.errors.setdefault(name, []).append(colour_error(colours, truth, shares))


def _add_times(row: Row, composite: Composite, alpha: Image.Image, runs: int) -> None:
    for _ in range(runs):
        for name, method in METHODS.items():
            start = time.perf_counter()
            method(composite.picture, alpha)
            row.times_ms.setdefault(name, []).append((time.perf_counter() - start) * 1000)


def _floats(picture: Image.Image) -> Floats:
    return np.asarray(picture, np.float32) / 255


def edges_foreground(line: Sequence[str]) -> None:
    """Print the table; exit with 1 if a shape misses the target."""
    parser = OptionParser(
        "edges-foreground", "Measure the colours of soft edges against pymatting."
    )
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--runs", type=int, default=7, help="measurements of each time")
    arguments = parser.parse_args(line)
    if estimate_foreground_ml is None:
        raise BenchError(MISSING)
    torch.set_num_threads(1)
    rows = measure(tuple(arguments.size), arguments.runs)
    print(f"{len(PHOTOS)} photos, {arguments.size[0]} x {arguments.size[1]}, one thread\n")
    print(format_table(rows))
    worst = max(row.error("ours") / row.error("multi-level") for row in rows)
    slowest = max(min(row.times_ms["ours"]) for row in rows)
    print(f"\nworst ratio {worst:.2f} (at most {MOST_ERROR}), slowest {slowest:.0f} ms ({MOST_MS})")
    sys.exit(worst > MOST_ERROR or slowest > MOST_MS)
