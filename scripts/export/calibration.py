"""What photos say of a network, for its 8-bit twin: ranges of maps, and corrected biases.

Both belong to weights, not to machines. ``python -m scripts calibrate`` measures them once; for the
published weights they are kept in ``calibrations``, and a build uses them. Weights without such a
file are measured when they are built. Pictures are taken one by one: what the two networks answered
waits on disk.

Rounding a channel's weights shifts what it answers with on average. Its bias takes that back, where
it answers at all: what ReLU cuts off anyway has no say. What draws a map keeps its bias: no ReLU
follows. (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
2019, https://arxiv.org/abs/1906.04721, section 4.2, corrects over everything, which does harm here:
errors grow from layer to layer.)
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from scripts.export.choose import CALIBRATIONS
from scripts.export.quantisation import (
    Floats,
    Quantisation,
    Scheme,
    draws,
    first_convolution,
)
from scripts.export.trace import Operation, biases, convolution
from scripts.export.twin import take_step, walk
from scripts.weights.photos import CALIBRATION
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import Variant

# Raise it with a change to the code that gives other figures, in this module or one that it uses:
# calibrations that are kept then no longer fit. A test notices such a change.
METHOD = 1
# With fewer positive values than this, a channel's average says nothing.
FEWEST_VALUES = 50
# The digits that are kept of what is measured: far finer than a level of 8 bits.
RANGE_DIGITS, SHIFT_DIGITS = 6, 3
# Of a digest in a file's name.
NAME_DIGITS = 12

T = TypeVar("T")


@dataclass(frozen=True)
class Calibration:
    """What was measured, rounded as it is written down."""

    ranges: Mapping[str, float]
    """The largest value, or absolute one, that each rounded step's group reaches, by its name."""
    shifts: Mapping[str, Floats]
    """What is taken off each bias, (out,), by the convolution's name."""

    def quantisation(self, scheme: Scheme) -> Quantisation:
        """Return the twin of the network that was measured."""
        corrected = {
            name: biases(convolution(scheme.network, name)).numpy() - shift
            for name, shift in self.shifts.items()
        }
        ranges = {
            place: scheme.range_of(place, self.ranges[scheme.names[place]])
            for place in scheme.rounded
        }
        return Quantisation(ranges, scheme.weights, corrected)


def views(photos: Sequence[T], variant: Variant) -> list[tuple[T, bool]]:
    """Return what a variant is calibrated with: each photo, and whether it is mirrored.

    Each is there mirrored as well, which takes a quarter or more of the error off photos that are
    not among them. A network with a stem, which takes several times as long, gets each once, every
    other one mirrored.
    """
    if variant.stem is not None:
        return [(photo, number % 2 == 1) for number, photo in enumerate(photos)]
    return [(photo, mirrored) for mirrored in (False, True) for photo in photos]


def calibrate(
    scheme: Scheme, pictures: Sequence[Tensor], scratch: Path, report: Callable[[str], None]
) -> Calibration:
    """Measure a network on pictures, each (3, S, S) as from ``preprocessing``.

    `scratch` is an empty folder: up to 400 MB a picture of 1024 x 1024 pixels wait in it. `report`
    is called with what is measured next.
    """
    with torch.inference_mode():
        largest = [0.0] * len(scheme.steps)
        for number, picture in enumerate(pictures, start=1):
            report(f"ranges: picture {number} of {len(pictures)}")
            found = _largest(scheme, picture)
            largest = [max(pair) for pair in zip(largest, found, strict=True)]
        shared: dict[int, float] = {}
        for place, group in enumerate(scheme.groups):
            shared[group] = max(shared.get(group, 0.0), largest[place])
        ranges = {
            scheme.names[place]: _rounded(shared[scheme.groups[place]], RANGE_DIGITS)
            for place in scheme.rounded
        }
        return Calibration(ranges, _Twins(scheme, ranges, pictures, scratch).shifts(report))


def stored_calibration(scheme: Scheme) -> Calibration | None:
    """Return what is kept of a network's weights; None if nothing is, or if it no longer fits."""
    try:
        kept = json.loads(_file(scheme.network).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if any(kept.get(name) != digest for name, digest in _digests(scheme).items()):
        return None
    shifts = {name: np.array(each, np.float32) for name, each in kept["shifts"].items()}
    return Calibration(kept["ranges"], shifts)


def keep_calibration(scheme: Scheme, calibration: Calibration) -> Path:
    """Write what was measured where ``stored_calibration`` finds it; return that file."""
    shifts = {
        name: [_rounded(float(each), SHIFT_DIGITS) for each in shift]
        for name, shift in calibration.shifts.items()
    }
    sections = {
        **{name: json.dumps(digest) for name, digest in _digests(scheme).items()},
        "ranges": _lines(calibration.ranges),
        "shifts": _lines(shifts),
    }
    file = _file(scheme.network)
    file.parent.mkdir(exist_ok=True)
    text = ",\n".join(f"{json.dumps(name)}: {section}" for name, section in sections.items())
    file.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")
    return file


def weights_digest(network: SaliencyNetwork) -> str:
    """Return the SHA-256 of a folded network's weights, however a file holds them."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}".encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def _digests(scheme: Scheme) -> dict[str, str]:
    """Return what a kept calibration must have been measured on, and how."""
    variant = scheme.network.variant
    facts = {
        "method": METHOD,
        "scheme": scheme.digest,
        "numbers": [FEWEST_VALUES, RANGE_DIGITS, SHIFT_DIGITS],
        "views": views([photo.sha256 for photo in CALIBRATION], variant),
        "picture": asdict(variant.picture),
    }
    method = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return {"weights_sha256": weights_digest(scheme.network), "method_sha256": method}


def _file(network: SaliencyNetwork) -> Path:
    return CALIBRATIONS / f"{network.variant.name}-{weights_digest(network)[:NAME_DIGITS]}.json"


def _lines(values: Mapping[str, object]) -> str:
    """Return a JSON object with a line for each of its values."""
    lines = (f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in values.items())
    return "{\n" + ",\n".join(lines) + "\n}"


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _largest(scheme: Scheme, picture: Tensor) -> list[float]:
    """Return the largest value, or absolute one, that each step gives of a picture."""
    largest = [float(picture.abs().max())]

    def observe(place: int, values: Sequence[Tensor]) -> Tensor:
        result = take_step(scheme.network, scheme.steps[place], values)
        largest.append(float(result.abs().max()))
        return result

    walk(scheme.steps, picture.unsqueeze(0), observe)
    return largest


@dataclass(frozen=True)
class _Twins:
    """The float network and its 8-bit twin, side by side, convolution by convolution.

    All pictures go through one convolution before any goes on: the next one takes what is corrected
    by all of them. What a convolution answered is kept on disk until no other needs it; the cheap
    steps between are taken anew each time.
    """

    scheme: Scheme
    ranges: Mapping[str, float]
    pictures: Sequence[Tensor]
    scratch: Path
    corrected: dict[int, Tensor] = field(default_factory=dict)
    """The shifts so far, by the convolution's place."""

    def shifts(self, report: Callable[[str], None]) -> dict[str, Floats]:
        """Return what is to be taken off the biases of all convolutions that a ReLU follows."""
        steps, first = self.scheme.steps, first_convolution(self.scheme.network.variant)
        places = [
            place
            for place, step in enumerate(steps)
            if step.operation is Operation.CONVOLUTION and not draws(step.convolution)
        ]
        last_use = {place: place for place in places}
        last_use |= {source: place for place in places for source in self._sources(place)}
        for number, place in enumerate(places, start=1):
            name = steps[place].convolution
            report(f"biases: convolution {number} of {len(places)}, {name}")
            shift = self._shift(place)
            # What sees the picture is exact.
            self.corrected[place] = torch.zeros_like(shift) if name == first else shift
            for source in (place, *self._sources(place)):
                if last_use[source] == place:
                    self._discard(source)
        return {
            steps[place].convolution: shift.numpy()
            for place, shift in self.corrected.items()
            if steps[place].convolution != first
        }

    def _shift(self, place: int) -> Tensor:
        """Take a convolution on all pictures; return by how much each channel is off, (C,)."""
        step = self.scheme.steps[place]
        weights = self.scheme.weights.get(step.convolution)
        count = torch.zeros(step.shape[1], dtype=torch.float64)
        total = torch.zeros_like(count)
        for number in range(len(self.pictures)):
            exact = take_step(self.scheme.network, step, self._inputs(place, number, twin=False))
            twin = take_step(
                self.scheme.network, step, self._inputs(place, number, twin=True), weights
            )
            self._keep(place, number, exact, twin=False)
            self._keep(place, number, twin, twin=True)
            answers = exact > 0
            count += answers.sum((0, 2, 3))
            total += twin.sub_(exact).mul_(answers).sum((0, 2, 3))
        shift = torch.where(count < FEWEST_VALUES, 0, total / count.clamp_min(1))
        return torch.tensor([_rounded(each, SHIFT_DIGITS) for each in shift.tolist()])

    def _inputs(self, place: int, picture: int, *, twin: bool) -> list[Tensor]:
        return [
            self._value(source, picture, twin=twin) for source in self.scheme.steps[place].inputs
        ]

    def _value(self, place: int, picture: int, *, twin: bool) -> Tensor:
        """Return what a step answers on a picture, rounded in the twin."""
        step = self.scheme.steps[place]
        if step.operation is Operation.INPUT:
            return self.pictures[picture].unsqueeze(0)
        if step.operation is Operation.CONVOLUTION:
            result = torch.from_numpy(np.load(self._file(place, picture, twin=twin)))
            if twin:
                result -= self.corrected[place][:, None, None]
        else:
            result = take_step(self.scheme.network, step, self._inputs(place, picture, twin=twin))
        largest = self.ranges.get(self.scheme.names[place]) if twin else None
        return result if largest is None else self.scheme.range_of(place, largest).rounded(result)

    def _sources(self, place: int) -> set[int]:
        """Return the convolutions whose answers a step is made of."""
        sources: set[int] = set()
        for source in self.scheme.steps[place].inputs:
            kept = self.scheme.steps[source].operation is Operation.CONVOLUTION
            sources |= {source} if kept else self._sources(source)
        return sources

    def _keep(self, place: int, picture: int, answer: Tensor, *, twin: bool) -> None:
        np.save(self._file(place, picture, twin=twin), answer.numpy())

    def _discard(self, place: int) -> None:
        for number in range(len(self.pictures)):
            for twin in (False, True):
                self._file(place, number, twin=twin).unlink()

    def _file(self, place: int, picture: int, *, twin: bool) -> Path:
        return self.scratch / f"{place}-{picture}-{'twin' if twin else 'exact'}.npy"
