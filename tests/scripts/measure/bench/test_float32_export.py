from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from scripts.measure.bench.float32_export import write_float32


def test_it_calculates_in_float32_with_the_same_weights(tmp_path: Path) -> None:
    weight = np.array([[0.1, 2049.0]], np.float16)
    nodes = [
        helper.make_node("Cast", ["picture"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("Mul", ["half", "weight"], ["product"]),
        helper.make_node("Cast", ["product"], ["maps"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(weight, "weight")],
    )
    opsets = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "half.onnx")

    write_float32(tmp_path / "half.onnx", tmp_path / "single.onnx")

    session = onnxruntime.InferenceSession(tmp_path / "single.onnx")
    picture = np.array([[1.0001, 1.0001]], np.float32)
    (maps,) = session.run(None, {"picture": picture})
    assert np.array_equal(maps, picture * weight.astype(np.float32))
