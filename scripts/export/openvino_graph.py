"""The saliency network as a graph of OpenVINO, in float32 or with its 8-bit quantisation.

Operations: https://docs.openvino.ai/2026/documentation/openvino-ir-format/operation-sets.html.
Built from the network's own steps: OpenVINO's converter would not say where 8 bits begin and end.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from scripts.export.quantisation import Floats, Quantisation, QuantisedWeights
from scripts.export.trace import Operation, Step, biases, convolution, network_steps
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.openvino_library import openvino
from u2net_cutout.network.u2net import SaliencyNetwork

ops = openvino.opset13

EXACT = Quantisation({}, {}, {})
SENSITIVE_NODE = "sensitive"
PRECISE = '<rt_info><attribute name="precise" version="0" /></rt_info>'
HEIGHT_AND_WIDTH = np.array([2, 3], np.int64)

Number = TypeVar("Number", bound=np.generic)


def openvino_graph(network: SaliencyNetwork, quantisation: Quantisation = EXACT) -> openvino.Model:
    """Build the graph of a folded network: (1, 3, S, S) -> (1, M, S, S), float32 in, out.

    A convolution whose weights `quantisation` names calculates in 8 bits, as OpenVINO reads it off
    the rounding around it.
    """
    builder = _Builder(network, quantisation)
    steps = network_steps(network)
    picture = ops.parameter(list(steps[0].shape), np.float32, name="picture")
    results: list[openvino.Node] = [picture]
    for place, step in enumerate(steps[1:], start=1):
        results.append(builder.node(place, step, [results[source] for source in step.inputs]))
    results[-1].output(0).set_names({"maps"})
    graph = openvino.Model([results[-1]], [picture], "saliency")
    # OpenVINO numbers names by process, so that equal graphs would give different files.
    numbers: Counter[str] = Counter()
    for node in graph.get_ordered_ops():
        numbers[node.get_type_name()] += 1
        if node.get_friendly_name() != SENSITIVE_NODE:
            node.set_friendly_name(f"{node.get_type_name()}_{numbers[node.get_type_name()]}")
    return graph


def save_graph(graph: openvino.Model, file: Path) -> None:
    """Write a graph as ``<file>.xml`` and its weights, as they are, as ``<file>.bin``."""
    openvino.save_model(graph, file.with_suffix(".xml"), compress_to_fp16=False)


def keep_sensitive(file: Path, count: int) -> None:
    """Mark the sensitive convolutions of a saved graph to stay in float32 among bfloat16.

    By an attribute that OpenVINO's Python API can't set (``DisableFP16Compression`` of its
    ``core/rt_info/fp16_compression.hpp``; read off the compiled graph, it holds for bfloat16 too).

    Raises:
        ModelLoadError: there are not `count` of them.
    """
    text = file.with_suffix(".xml").read_text(encoding="utf-8")
    head = rf'<layer id="\d+" name="{SENSITIVE_NODE}" type="Convolution" [^>]*>\s*<data [^>]*/>'
    marked, found = re.subn(head, rf"\g<0>{PRECISE}", text)
    if found != count:
        raise ModelLoadError(
            f"OpenVINO {openvino.__version__} wrote {found} sensitive convolutions, not {count}"
        )
    file.with_suffix(".xml").write_text(marked, encoding="utf-8")


class _Builder:
    def __init__(self, network: SaliencyNetwork, quantisation: Quantisation) -> None:
        self.network = network
        self.quantisation = quantisation

    def node(self, place: int, step: Step, inputs: Sequence[openvino.Node]) -> openvino.Node:
        """Build a step's node and, if its result is in 8 bits, the rounding of it."""
        node = self._operation(step, inputs)
        levels = self.quantisation.ranges.get(place)
        if levels is None:
            return node
        lowest, highest = levels.levels
        low, high = (ops.constant(np.float32(end * levels.step)) for end in levels.levels)
        return ops.fake_quantize(node, low, high, low, high, highest - lowest + 1)

    def _operation(self, step: Step, inputs: Sequence[openvino.Node]) -> openvino.Node:
        match step.operation:
            case Operation.CONVOLUTION:
                return self._convolution(step.convolution, inputs[0])
            case Operation.RELU:
                return ops.relu(inputs[0])
            case Operation.MAX_POOL:
                pooled = ops.max_pool(inputs[0], [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], "ceil")
                return pooled.output(0)
            case Operation.CONCATENATE:
                return ops.concat(list(inputs), axis=1)
            case Operation.RESIZE if step.shape[1] == 1:
                return _resized_map(inputs[0], step.shape[2:])
            case Operation.RESIZE:
                return ops.interpolate(
                    inputs[0],
                    ops.constant(np.array(step.shape[2:], np.int64)),
                    mode="linear_onnx",
                    shape_calculation_mode="sizes",
                    coordinate_transformation_mode="half_pixel",
                    axes=ops.constant(HEIGHT_AND_WIDTH),
                )
            case Operation.ADD:
                return ops.add(inputs[0], inputs[1])
            case Operation.SIGMOID:
                return ops.sigmoid(inputs[0])
        raise ValueError(f"{step.operation} has no node")

    def _convolution(self, name: str, source: openvino.Node) -> openvino.Node:
        module = convolution(self.network, name)
        kernel = module.weight.numpy()
        rounded = self.quantisation.weights.get(name, [])
        bias = self.quantisation.biases.get(name)
        if bias is None:
            bias = biases(module).numpy()
        if kernel.shape[0] == 1 and kernel.shape[2:] == (3, 3):
            results = [_drawn(source, kernel, rounded)]
        elif kernel.shape[0] == 1:
            results = [_weighed(source, kernel)]
        elif rounded:
            # Maps with scales of their own never meet in a concatenation: they are what it takes.
            parts = [source] if len(rounded) == 1 else source.input_values()
            results = [
                _convolved(part, _scaled(weights), module.dilation, module.stride)
                for part, weights in zip(parts, rounded, strict=True)
            ]
        else:
            results = [_convolved(source, ops.constant(kernel), module.dilation, module.stride)]
            if name in self.network.variant.sensitive:
                results[0].set_friendly_name(SENSITIVE_NODE)
        biased = ops.add(results[0], ops.constant(bias.reshape(1, -1, 1, 1)))
        return reduce(ops.add, results[1:], biased)


def _convolved(
    source: openvino.Node,
    kernel: openvino.Node,
    dilation: Sequence[int],
    stride: Sequence[int] = (1, 1),
) -> openvino.Node:
    """Convolve to a map of the same size, or its part by `stride`.

    A 3x3 kernel is padded by its dilation.
    """
    padding = [size // 2 * spread for size, spread in zip(kernel.shape[2:], dilation, strict=True)]
    return ops.convolution(source, kernel, list(stride), padding, padding, list(dilation))


def _resized_map(source: openvino.Node, size: Sequence[int]) -> openvino.Node:
    """Resize a map of one channel bilinearly, by a product for each direction.

    OpenVINO's own resizing works on many channels at once, and takes ten times as long for one.
    """
    height, width = (_bilinear(old, new) for old, new in zip(source.shape[2:], size, strict=True))
    tall = ops.matmul(ops.constant(height), source, transpose_a=False, transpose_b=False)
    return ops.matmul(tall, ops.constant(width), transpose_a=False, transpose_b=True)


def _bilinear(old: int, new: int) -> Floats:
    """Return the matrix, (new, old), that resizes a column bilinearly, pixel centres at halves."""
    columns = torch.eye(old).reshape(1, 1, old, old)
    matrix = functional.interpolate(columns, (new, old), mode="bilinear", align_corners=False)
    return matrix[0, 0].numpy()


def _scaled(weights: QuantisedWeights) -> openvino.Node:
    levels = ops.convert(ops.constant(weights.levels), "f32")
    return ops.multiply(levels, ops.constant(weights.scale))


def _drawn(
    source: openvino.Node, kernel: Floats, rounded: Sequence[QuantisedWeights]
) -> openvino.Node:
    """Convolve to one channel, (1, in, 3, 3), in two steps that cost a quarter together, or less.

    A CPU calculates 16 channels at once, whether they are asked for or not. Nine, one for each
    pixel of the kernel, are first summed over the channels, then moved into place and added.
    In 8 bits `source` is the sum of two maps, not rounded itself. Each is convolved by itself, so
    that the sum is never formed.
    """
    if rounded:
        [weights] = rounded
        pixels = _scaled(QuantisedWeights(_by_pixel(weights.levels), _by_pixel(weights.scale)))
        parts = [_convolved(part, pixels, (1, 1)) for part in source.input_values()]
    else:
        parts = [_convolved(source, ops.constant(_by_pixel(kernel)), (1, 1))]
    moves = np.eye(9, dtype=np.float32).reshape(1, 9, 3, 3)
    return _convolved(reduce(ops.add, parts), ops.constant(moves), (1, 1))


def _by_pixel(kernel: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Take a kernel to one channel, (1, in, 3, 3), apart into its pixels: (9, in, 1, 1)."""
    return np.ascontiguousarray(kernel.reshape(-1, 9).T.reshape(9, -1, 1, 1))


def _weighed(source: openvino.Node, kernel: Floats) -> openvino.Node:
    """Convolve to one channel, (1, in, 1, 1), by a matrix product.

    A convolution would first move the maps, so that all channels of a pixel are side by side.
    """
    _, channels, height, width = source.shape
    maps = ops.reshape(source, [channels, height * width], special_zero=False)
    weighed = ops.matmul(
        ops.constant(kernel.reshape(1, channels)), maps, transpose_a=False, transpose_b=False
    )
    return ops.reshape(weighed, [1, 1, height, width], special_zero=False)
