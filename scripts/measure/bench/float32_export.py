"""An ONNX file with weights in 16 bits, put back into 32, as rembg's own files have them."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

HALF, SINGLE = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT


def write_float32(export: Path, target: Path) -> None:
    """Write `export` with every number and every cast of 16 bits in 32; its nodes stay."""
    model = onnx.load(export)
    graph = model.graph
    constants = [each.t for node in graph.node for each in node.attribute if each.HasField("t")]
    for tensor in (*graph.initializer, *constants):
        if tensor.data_type == HALF:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == HALF:
                attribute.i = SINGLE
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == HALF:
            value.type.tensor_type.elem_type = SINGLE
    onnx.save(model, target)
