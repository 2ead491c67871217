"""Post-training quantisation of the saliency network to 8 bits, calibrated on photos.

Weights: signed, symmetric, a scale for each output channel. Activations: unsigned, a scale for each
group of maps that flow into one another, so that pooling and concatenating them need no rescaling
between. Rounded is only what something in 8 bits takes: OpenVINO resizes in floating point, so
rounding what it resizes would cost accuracy and save nothing.

A decoder concatenates a map from below, resized, with a skip connection. The largest value of one
is often several times that of the other, and a scale for both leaves the smaller few levels. On
maps of up to ``SPLIT_SIDE`` pixels each keeps its own, and the convolution that takes both becomes
two, whose answers are added (as one, they would have to share the scale of the weights as well).
On larger maps adding takes more time than it is worth.

The finest side, which draws the finest map, takes the sum of two maps. Nothing else takes that sum,
so it is never formed: each map is rounded and convolved by itself, and the answers are added. Its
weights have a scale for each pixel of the kernel.

The other sides and the output convolution, the first convolution, which sees the picture, and one
that is sensitive stay in floating point.

Rounding a channel's weights shifts what it answers with on average. Its bias takes that back, where
it answers at all: what ReLU cuts off anyway has no say. What draws a map keeps its bias: no ReLU
follows. (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
2019, https://arxiv.org/abs/1906.04721, section 4.2, corrects over everything, which does harm here:
errors grow from layer to layer.)
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from scripts.export.trace import Operation, Step, biases, convolution, network_steps
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import Variant

FIRST_CONVOLUTION = "stage1.rebnconvin.conv_s1"
# Draws the finest map. In 8 bits one of the network's two largest additions falls away, and the
# error grows by a hundredth.
FINEST_SIDE = "side1"

# The largest 8-bit values, of weights and of activations.
WEIGHT_LEVELS = 127
ACTIVATION_LEVELS = 255
# With fewer positive values than this, a channel's average says nothing.
FEWEST_VALUES = 50
# The longest side of maps on which a convolution of concatenated maps is split, in pixels.
SPLIT_SIDE = 160
# Steps whose result can be rounded.
ROUNDING = {Operation.RELU, Operation.ADD, Operation.RESIZE}
# What a convolution in 8 bits takes from these is not rounded itself; what they take is. Of the
# convolutions only sides take a sum directly.
PARTED = {Operation.CONCATENATE, Operation.ADD}

Floats = npt.NDArray[np.float32]
T = TypeVar("T")


@dataclass(frozen=True)
class QuantisedWeights:
    """Weights of a convolution, or of its share for one of the concatenated maps that it takes.

    ``levels`` times ``scale``, the closest in 8 bits.
    """

    levels: npt.NDArray[np.int8]
    """(out, in, h, w)."""
    scale: Floats
    """(out, 1, 1, 1); (1, 1, h, w) where out is 1."""

    @classmethod
    def of(cls, weights: Tensor) -> "QuantisedWeights":
        """Round weights, (out, in, h, w)."""
        # To one channel, each pixel of the kernel is calculated by itself (``openvino_graph``).
        summed = (0, 1) if weights.shape[0] == 1 else (1, 2, 3)
        scale = weights.abs().amax(summed, keepdim=True).clamp_min(1e-9) / WEIGHT_LEVELS
        levels = (weights / scale).round().to(torch.int8)
        return cls(levels.numpy(), scale.numpy())

    def dequantised(self) -> Tensor:
        """Return the weights as they now are, float32."""
        return torch.from_numpy(self.levels * self.scale)


@dataclass(frozen=True)
class Quantisation:
    """All that turns a float network into its 8-bit twin."""

    ranges: Mapping[int, float]
    """The largest value after each step that is rounded, by its place in the network's steps."""
    weights: Mapping[str, Sequence[QuantisedWeights]]
    """By the convolution's name: one, or one for each of the concatenated maps that it takes.

    Convolutions that are not here stay in floating point.
    """
    biases: Mapping[str, Floats]
    """The corrected biases, (out,), by the convolution's name; those not here stay as they are."""


def quantise(
    network: SaliencyNetwork, pictures: Sequence[Tensor], report: Callable[[str], None]
) -> Quantisation:
    """Calibrate a folded network on pictures, each (3, S, S) as from ``preprocessing``.

    `report` is called with the name of each stage.
    """
    steps = network_steps(network)
    batch = torch.stack(list(pictures))
    convolutions = {step.convolution for step in steps if step.convolution}
    eight_bit = {name for name in convolutions if is_quantised(name, network.variant)}
    weights = {
        step.convolution: _quantised(
            convolution(network, step.convolution).weight, _parts(steps, step)
        )
        for step in steps
        if step.convolution in eight_bit
    }
    with torch.inference_mode():
        report("calibration: the range of each map")
        ranges = _ranges(network, steps, eight_bit, batch)
        report("calibration: the biases")
        corrected = _Twins(network, steps, ranges, weights).correct(batch)
    return Quantisation(ranges, weights, corrected)


def is_quantised(convolution: str, variant: Variant) -> bool:
    """Say whether a variant's convolution is one of those that calculate in 8 bits."""
    if _draws(convolution):
        return convolution == FINEST_SIDE
    return convolution not in (FIRST_CONVOLUTION, *variant.sensitive)


def _draws(convolution: str) -> bool:
    """Say whether a convolution's result is a map of saliency; no ReLU follows it."""
    return convolution.startswith(("side", "outconv"))


def _quantised(weights: Tensor, parts: Sequence[int]) -> list[QuantisedWeights]:
    """Round a convolution's weights, (out, in, h, w), separately for each part of its input."""
    ends = np.cumsum(parts)
    starts = ends - parts
    return [
        QuantisedWeights.of(weights[:, start:end]) for start, end in zip(starts, ends, strict=True)
    ]


def _parts(steps: Sequence[Step], step: Step) -> list[int]:
    """Return how many channels each of the maps has that a quantised convolution takes."""
    source = steps[step.inputs[0]]
    if source.operation is Operation.CONCATENATE and max(source.shape[2:]) <= SPLIT_SIDE:
        return [steps[place].shape[1] for place in source.inputs]
    return [source.shape[1]]


def _ranges(
    network: SaliencyNetwork, steps: Sequence[Step], eight_bit: Collection[str], batch: Tensor
) -> dict[int, float]:
    """Return the largest value that each rounded step's group reaches."""
    largest = {0: float(batch.max())}

    def observe(place: int, values: Sequence[Tensor]) -> Tensor:
        result = _apply(network, steps[place], values)
        largest[place] = float(result.max())
        return result

    _walk(steps, batch, observe)
    groups = _groups(steps, eight_bit)
    shared: dict[int, float] = {}
    for place, group in enumerate(groups):
        shared[group] = max(shared.get(group, 0.0), largest[place])
    return {place: shared[groups[place]] for place in _rounded(steps, eight_bit)}


def _rounded(steps: Sequence[Step], eight_bit: Collection[str]) -> list[int]:
    """Return the steps of whose results a pool or a convolution takes 8 bits."""
    taken: set[int] = set()
    for step in steps:
        if step.convolution in eight_bit and steps[step.inputs[0]].operation in PARTED:
            taken |= set(steps[step.inputs[0]].inputs)
        elif step.convolution in eight_bit or step.operation is Operation.MAX_POOL:
            taken |= set(step.inputs)
    return [place for place in sorted(taken) if steps[place].operation in ROUNDING]


def _groups(steps: Sequence[Step], eight_bit: Collection[str]) -> list[int]:
    """Give each step the number of its group: maps that flow into one another unchanged."""
    quantised = [step for step in steps if step.convolution in eight_bit]
    joint = {each.inputs[0] for each in quantised if len(_parts(steps, each)) == 1}
    group = list(range(len(steps)))
    for place, step in enumerate(steps):
        concatenated = step.operation is Operation.CONCATENATE and place in joint
        if concatenated or step.operation is Operation.MAX_POOL:
            joined = {group[source] for source in step.inputs} | {place}
            group = [min(joined) if each in joined else each for each in group]
    return group


@dataclass(frozen=True)
class _Twins:
    """The float network and its 8-bit twin, side by side on the same pictures."""

    network: SaliencyNetwork
    steps: Sequence[Step]
    ranges: Mapping[int, float]
    weights: Mapping[str, Sequence[QuantisedWeights]]

    def correct(self, batch: Tensor) -> dict[str, Floats]:
        corrected: dict[str, Floats] = {}

        def advance(place: int, pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
            step = self.steps[place]
            exact, rounded = zip(*pairs, strict=True)
            result = _apply(self.network, step, exact)
            weights = self.weights.get(step.convolution)
            twin = _apply(self.network, step, rounded, weights)
            if step.operation is Operation.CONVOLUTION and not _draws(step.convolution):
                shift = _shift(result, twin)
                twin = twin - shift[:, None, None]
                bias = biases(convolution(self.network, step.convolution))
                corrected[step.convolution] = (bias - shift).numpy()
            return result, self._round(place, twin)

        _walk(self.steps, (batch, batch), advance)
        return corrected

    def _round(self, place: int, values: Tensor) -> Tensor:
        if place not in self.ranges:
            return values
        scale = max(self.ranges[place], 1e-9) / ACTIVATION_LEVELS
        return (values / scale).round().clamp(0, ACTIVATION_LEVELS) * scale


def _shift(exact: Tensor, twin: Tensor) -> Tensor:
    """Return by how much each channel is off on average, (C,), where ReLU lets it through."""
    answers = exact > 0
    count = answers.sum((0, 2, 3))
    shift = ((twin - exact) * answers).sum((0, 2, 3)) / count.clamp_min(1)
    return torch.where(count < FEWEST_VALUES, 0, shift)


def _walk(steps: Sequence[Step], picture: T, advance: Callable[[int, Sequence[T]], T]) -> None:
    """Go through the steps; what no later step takes is let go."""
    last_use = {source: place for place, step in enumerate(steps) for source in step.inputs}
    values: dict[int, T] = {0: picture}
    for place, step in enumerate(steps):
        if step.inputs:
            values[place] = advance(place, [values[source] for source in step.inputs])
        for source in step.inputs:
            if last_use[source] == place:
                values.pop(source, None)


def _apply(
    network: SaliencyNetwork,
    step: Step,
    values: Sequence[Tensor],
    weights: Sequence[QuantisedWeights] | None = None,
) -> Tensor:
    """Take one step in torch; a convolution with other weights than its own, if given."""
    first = values[0]
    match step.operation:
        case Operation.CONVOLUTION:
            module = convolution(network, step.convolution)
            kernel = module.weight
            if weights is not None:
                kernel = torch.cat([part.dequantised() for part in weights], dim=1)
            return functional.conv2d(
                first, kernel, module.bias, padding=module.padding, dilation=module.dilation
            )
        case Operation.RELU:
            return first.relu()
        case Operation.MAX_POOL:
            return functional.max_pool2d(first, kernel_size=2, stride=2, ceil_mode=True)
        case Operation.CONCATENATE:
            return torch.cat(list(values), dim=1)
        case Operation.RESIZE:
            size = step.shape[2:]
            return functional.interpolate(first, size=size, mode="bilinear", align_corners=False)
        case Operation.ADD:
            return first + values[1]
        case Operation.SIGMOID:
            return first.sigmoid()
    raise ValueError(f"{step.operation} is no step that is taken")
