"""The 8-bit twin of a network, calculated in plain torch: on any CPU, and slowly.

Each rounded map and weight is a level times a scale, held in float32, which holds both exactly.
What the twin answers differs from integer arithmetic only where a sum, rounded to float32, falls on
the other side of the middle between two levels.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from scripts.export.quantisation import Quantisation, QuantisedWeights
from scripts.export.trace import Operation, Step, biases, convolution
from u2net_cutout.network.u2net import SaliencyNetwork

T = TypeVar("T")


def twin_maps(
    network: SaliencyNetwork,
    steps: Sequence[Step],
    quantisation: Quantisation,
    picture: Tensor,
) -> Tensor:
    """Return the maps, (1, M, S, S), that the twin of a folded network draws of (1, 3, S, S)."""

    def advance(place: int, values: Sequence[Tensor]) -> Tensor:
        name = steps[place].convolution
        result = take_step(network, steps[place], values, quantisation.weights.get(name))
        if name in quantisation.biases:
            corrected = torch.from_numpy(quantisation.biases[name])
            result += (corrected - biases(convolution(network, name)))[:, None, None]
        levels = quantisation.ranges.get(place)
        return levels.rounded(result) if levels else result

    return walk(steps, picture, advance)


def walk(steps: Sequence[Step], picture: T, advance: Callable[[int, Sequence[T]], T]) -> T:
    """Go through the steps; what no later step takes is let go. Return the last one's result."""
    last_use = {source: place for place, step in enumerate(steps) for source in step.inputs}
    values: dict[int, T] = {0: picture}
    for place, step in enumerate(steps):
        if step.inputs:
            values[place] = advance(place, [values[source] for source in step.inputs])
        for source in step.inputs:
            if last_use[source] == place:
                values.pop(source, None)
    return values[len(steps) - 1]


def take_step(
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
                first,
                kernel,
                module.bias,
                stride=module.stride,
                padding=module.padding,
                dilation=module.dilation,
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
