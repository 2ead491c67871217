"""Whose weights a file holds: told by the shapes in it, since its name may say anything."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from scripts.weights.onnx_file import OnnxConvolution
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import Variant

Shapes = Mapping[str, Sequence[int]]
Floats = npt.NDArray[np.float32]

# What attention is made of; the family has convolutions alone.
ATTENTION = {"Erf", "Gelu", "LayerNormalization", "MatMul", "Softmax"}
# How BiRefNet's checkpoints call its backbone.
BIREFNET_BACKBONE = "bb."
FINEST_SIDE = "side1"
# The order of a pass does not depend on the picture's size.
ANY_SIZE = 32


class Misfit(ValueError):
    """Weights are not those of a variant."""


@cache
def convolutions_of(variant: Variant) -> dict[str, nn.Conv2d]:
    """Return the convolutions of a variant's network by their names, as a forward pass meets them.

    They have no memory: shapes, dilations and strides only.
    """
    met: dict[str, nn.Conv2d] = {}
    with torch.device("meta"):
        network = SaliencyNetwork(variant, batch_norm=False)
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_pre_hook(
                    lambda convolution, _, name=name: met.update({name: convolution})
                )
        network(torch.empty(1, 3, ANY_SIZE, ANY_SIZE))
    return met


def assigned(found: Sequence[OnnxConvolution], variant: Variant) -> dict[str, Floats]:
    """Return the weights of a graph's convolutions under the names that a variant has for them.

    Those that the file does not name take the places that are left, in order.

    Raises:
        Misfit: they are not the variant's; the message says where they differ.
    """
    expected = convolutions_of(variant)
    names = [next((name for name in each.names if name in expected), "") for each in found]
    left = [name for name in expected if name not in names]
    if len(found) != len(expected) or len(left) != names.count(""):
        raise Misfit(f"it has {len(found)} convolutions, not {len(expected)}")
    rest = iter(left)
    weights: dict[str, Floats] = {}
    for known, each in zip(names, found, strict=True):
        name = known or next(rest)
        module = expected[name]
        wanted = tuple(module.weight.shape), module.dilation, module.stride
        if (each.weight.shape, each.dilation, each.stride) != wanted:
            raise Misfit(
                f"{name} has {_described(each.weight.shape, each.dilation, each.stride)}, not "
                f"{_described(*wanted)}"
            )
        if each.bias is None:
            raise Misfit(f"it has no bias at {name}")
        weights |= {f"{name}.weight": each.weight, f"{name}.bias": each.bias}
    return weights


def fits_graph(found: Sequence[OnnxConvolution], variant: Variant) -> bool:
    """Say whether the convolutions of a graph are a variant's."""
    try:
        assigned(found, variant)
    except Misfit:
        return False
    return True


def fits_checkpoint(shapes: Shapes, variant: Variant) -> bool:
    """Say whether the shapes of a checkpoint's tensors are a variant's, folded or not."""
    kernels = {name: tuple(shape) for name, shape in shapes.items() if len(shape) == 4}
    expected = convolutions_of(variant).items()
    return kernels == {f"{name}.weight": tuple(each.weight.shape) for name, each in expected}


def advice(shapes: Shapes, fitting: Sequence[str], operations: Collection[str] = ()) -> str:
    """Say what weights are that are not those of the variant that was asked for.

    `shapes` is what the file names, `fitting` the variants that it fits, `operations` the kinds of
    its graph's nodes. Nothing, if that is not known.
    """
    if fitting:
        return f"; it is {' or '.join(fitting)}: MODEL={fitting[0]}"
    if ATTENTION & set(operations) or any(name.startswith(BIREFNET_BACKBONE) for name in shapes):
        return "; it is a transformer, as BiRefNet is, of which there is no network here"
    drawn = shapes.get(f"{FINEST_SIDE}.weight", (1,))[0]
    if drawn != 1:
        return f"; it draws {drawn} kinds of things, as u2net_cloth_seg does, and not one mask"
    return ""


def _described(shape: Sequence[int], dilation: Sequence[int], stride: Sequence[int]) -> str:
    return f"{tuple(shape)} with dilation {list(dilation)} and stride {list(stride)}"
