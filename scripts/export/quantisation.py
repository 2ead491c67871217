"""Which parts of the saliency network its 8-bit twin rounds, and how.

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

The other sides and the output convolution, the first convolution, which sees the picture, and those
that are sensitive stay in floating point. Where the first convolution is a stem, no ReLU follows
it: its result is rounded with its sign.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from scripts.export.trace import Operation, Step, convolution, names_of, network_steps
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import Variant

STEM = "conv_in"
FIRST_CONVOLUTION = "stage1.rebnconvin.conv_s1"
# Draws the finest map. In 8 bits one of the network's two largest additions falls away, and the
# error grows by a hundredth.
FINEST_SIDE = "side1"

# The largest 8-bit values: of weights and of what has a sign, and of activations.
SIGNED_LEVELS = 127
ACTIVATION_LEVELS = 255
# The longest side of maps on which a convolution of concatenated maps is split, in pixels.
SPLIT_SIDE = 160
# Steps whose result can be rounded. Of the convolutions, whose results have a sign, only a stem's
# is taken by another.
ROUNDING = {Operation.CONVOLUTION, Operation.RELU, Operation.ADD, Operation.RESIZE}
# What a convolution in 8 bits takes from these is not rounded itself; what they take is. Of the
# convolutions only sides take a sum directly.
PARTED = {Operation.CONCATENATE, Operation.ADD}

Floats = npt.NDArray[np.float32]


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
        scale = weights.abs().amax(summed, keepdim=True).clamp_min(1e-9) / SIGNED_LEVELS
        levels = (weights / scale).round().to(torch.int8)
        return cls(levels.numpy(), scale.numpy())

    def dequantised(self) -> Tensor:
        """Return the weights as they now are, float32."""
        return torch.from_numpy(self.levels * self.scale)


@dataclass(frozen=True)
class Range:
    """The 256 levels of a map."""

    largest: float
    """The largest value, or the largest absolute one."""
    signed: bool = False

    @property
    def step(self) -> float:
        """From one level to the next."""
        return max(self.largest, 1e-9) / (SIGNED_LEVELS if self.signed else ACTIVATION_LEVELS)

    @property
    def levels(self) -> tuple[int, int]:
        """The lowest and the highest level."""
        return (-SIGNED_LEVELS - 1, SIGNED_LEVELS) if self.signed else (0, ACTIVATION_LEVELS)

    def rounded(self, values: Tensor) -> Tensor:
        """Return each value as its closest level stands for it."""
        return (values / self.step).round().clamp(*self.levels) * self.step


@dataclass(frozen=True)
class Quantisation:
    """All that turns a float network into its 8-bit twin."""

    ranges: Mapping[int, Range]
    """Of each step that is rounded, by its place in the network's steps."""
    weights: Mapping[str, Sequence[QuantisedWeights]]
    """By the convolution's name: one, or one for each of the concatenated maps that it takes.

    Convolutions that are not here stay in floating point.
    """
    biases: Mapping[str, Floats]
    """The corrected biases, (out,), by the convolution's name; those not here stay as they are."""


@dataclass(frozen=True)
class Scheme:
    """What is rounded of a folded network, and what shares a scale."""

    network: SaliencyNetwork
    steps: Sequence[Step]

    @classmethod
    def of(cls, network: SaliencyNetwork) -> "Scheme":
        """Lay out the scheme of a network."""
        return cls(network, network_steps(network))

    @cached_property
    def names(self) -> Sequence[str]:
        """What the steps are called in what is written down of them."""
        return names_of(self.steps)

    @cached_property
    def rounded(self) -> Sequence[int]:
        """The steps of whose results a pool or a convolution takes 8 bits."""
        taken: set[int] = set()
        for step in self.steps:
            quantised = self._is_quantised(step)
            if quantised and self.steps[step.inputs[0]].operation in PARTED:
                taken |= set(self.steps[step.inputs[0]].inputs)
            elif quantised or step.operation is Operation.MAX_POOL:
                taken |= set(step.inputs)
        return [place for place in sorted(taken) if self.steps[place].operation in ROUNDING]

    @cached_property
    def groups(self) -> Sequence[int]:
        """The number of each step's group: maps that flow into one another unchanged."""
        quantised = [step for step in self.steps if self._is_quantised(step)]
        joint = {each.inputs[0] for each in quantised if len(self.parts(each)) == 1}
        group = list(range(len(self.steps)))
        for place, step in enumerate(self.steps):
            concatenated = step.operation is Operation.CONCATENATE and place in joint
            if concatenated or step.operation is Operation.MAX_POOL:
                joined = {group[source] for source in step.inputs} | {place}
                group = [min(joined) if each in joined else each for each in group]
        return group

    @cached_property
    def weights(self) -> Mapping[str, Sequence[QuantisedWeights]]:
        """The rounded weights of the convolutions in 8 bits."""
        return {
            step.convolution: _quantised(
                convolution(self.network, step.convolution).weight, self.parts(step)
            )
            for step in self.steps
            if self._is_quantised(step)
        }

    def parts(self, step: Step) -> Sequence[int]:
        """Return how many channels each of the maps has that a quantised convolution takes."""
        source = self.steps[step.inputs[0]]
        if source.operation is Operation.CONCATENATE and max(source.shape[2:]) <= SPLIT_SIDE:
            return [self.steps[place].shape[1] for place in source.inputs]
        return [source.shape[1]]

    def range_of(self, place: int, largest: float) -> Range:
        """Return the levels of a rounded step whose largest value, or absolute one, is known."""
        return Range(largest, self.steps[place].operation is Operation.CONVOLUTION)

    @property
    def digest(self) -> str:
        """The SHA-256 of all that decides what is measured on photos, but the weights."""
        facts = {
            "rounded": [
                (self.names[place], self.names[self.groups[place]], self.range_of(place, 1).signed)
                for place in self.rounded
            ],
            "parts": {
                step.convolution: self.parts(step)
                for step in self.steps
                if self._is_quantised(step)
            },
            "levels": [SIGNED_LEVELS, ACTIVATION_LEVELS],
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def _is_quantised(self, step: Step) -> bool:
        return bool(step.convolution) and is_quantised(step.convolution, self.network.variant)


def is_quantised(convolution: str, variant: Variant) -> bool:
    """Say whether a variant's convolution is one of those that calculate in 8 bits."""
    if draws(convolution):
        return convolution == FINEST_SIDE
    return convolution not in (first_convolution(variant), *variant.sensitive)


def first_convolution(variant: Variant) -> str:
    """Return the name of the convolution that sees the picture."""
    return FIRST_CONVOLUTION if variant.stem is None else STEM


def draws(convolution: str) -> bool:
    """Say whether a convolution's result is a map of saliency; no ReLU follows it."""
    return convolution.startswith(("side", "outconv"))


def _quantised(weights: Tensor, parts: Sequence[int]) -> list[QuantisedWeights]:
    """Round a convolution's weights, (out, in, h, w), separately for each part of its input."""
    ends = np.cumsum(parts)
    starts = ends - parts
    return [
        QuantisedWeights.of(weights[:, start:end]) for start, end in zip(starts, ends, strict=True)
    ]
