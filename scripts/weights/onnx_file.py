"""The convolutions of an ONNX file, read as data: nothing in it is run.

Exporters fold each batch norm into the convolution before it and number what they fold, so that
names are left for some convolutions alone: by the initialiser (``side1.weight``) or by the node
(``/stage1/rebnconvin/conv_s1/Conv``). The nodes stand in the order of execution.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from scripts.weights.record import WeightsError

# Between an initialiser and the convolution that takes it there may be these alone.
UNCHANGED = {"Identity", "Cast"}


@dataclass(frozen=True)
class OnnxConvolution:
    """A convolution of a graph, in the order of execution."""

    names: tuple[str, ...]
    """What the file calls it, as names of modules; most say nothing."""
    weight: npt.NDArray[np.float32]
    """(out, in, h, w)."""
    bias: npt.NDArray[np.float32] | None
    """(out,)."""
    dilation: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class OnnxFile:
    """What an ONNX file says of its network."""

    convolutions: tuple[OnnxConvolution, ...]
    operations: frozenset[str]
    """The kinds of its nodes."""


def read_onnx(path: Path) -> OnnxFile:
    """Read an ONNX file.

    Raises:
        WeightsError: it is damaged, or its weights are in other files.
    """
    try:
        graph = onnx.load(path, load_external_data=False).graph
        reader = _Reader(graph)
        convolutions = tuple(reader.convolutions())
    except WeightsError as error:
        raise WeightsError(f"{path.name}: {error}") from error
    except Exception as error:  # protobuf's and onnx's own errors share no other parent
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{path.name} is damaged: {reason}") from error
    return OnnxFile(convolutions, frozenset(node.op_type for node in graph.node))


class _Reader:
    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self.tensors: Mapping[str, onnx.TensorProto] = {
            **{tensor.name: tensor for tensor in graph.initializer},
            **{node.output[0]: _value(node) for node in graph.node if node.op_type == "Constant"},
        }
        self.sources = {
            node.output[0]: node.input[0] for node in graph.node if node.op_type in UNCHANGED
        }

    def convolutions(self) -> Iterator[OnnxConvolution]:
        for node in self.nodes:
            if node.op_type != "Conv":
                continue
            weight, *biases = node.input[1:]
            attributes = {each.name: tuple(each.ints) for each in node.attribute}
            yield OnnxConvolution(
                (weight.removesuffix(".weight"), _module(node.name)),
                self._floats(weight),
                self._floats(biases[0]) if biases else None,
                attributes.get("dilations", (1, 1)),
                attributes.get("strides", (1, 1)),
            )

    def _floats(self, name: str) -> npt.NDArray[np.float32]:
        while name not in self.tensors:
            name = self.sources[name]
        tensor = self.tensors[name]
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise WeightsError("its weights are in separate files: save it as one file")
        return numpy_helper.to_array(tensor).astype(np.float32)


def _value(node: onnx.NodeProto) -> onnx.TensorProto:
    return next((each.t for each in node.attribute if each.name == "value"), onnx.TensorProto())


def _module(node: str) -> str:
    """Return the module that a node's name stands for: ``/stage1/conv_s1/Conv`` is of conv_s1."""
    return node.strip("/").rpartition("/")[0].replace("/", ".")
