"""Writes networks as ONNX files in the kinds that people have."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from u2net_cutout.network.u2net import SaliencyNetwork


class OneResultAMap(SaliencyNetwork):
    """The network as its authors wrote it: each map is a result of its own."""

    def forward(self, x: Tensor) -> Tensor:
        # What ``torch.onnx`` takes, and the parent's type does not say.
        return super().forward(x).chunk(self.variant.map_count, dim=1)  # type: ignore[return-value]


def export(network: SaliencyNetwork, path: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Write a network as rembg's files were: by torch's older exporter, batch norms folded."""
    copy = OneResultAMap(network.variant, batch_norm=_has_norms(network)).eval()
    copy.load_state_dict(network.state_dict())
    size = network.variant.size
    picture = torch.rand(1, 3, size, size, dtype=dtype)
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(copy.to(dtype), (picture,), path, dynamo=False, opset_version=17)
    return path


def with_casts(path: Path) -> Path:
    """Keep a file's weights in 16 bits; casts make them float32 again where they are used."""
    model = onnx.load(path)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        tensor.CopyFrom(numpy_helper.from_array(values.astype("float16"), f"{name}_half"))
        casts.append(
            onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, path)
    return path


def without_names(path: Path) -> Path:
    """Take the names off a file's nodes, as torch's exporter of 2021 did."""
    model = onnx.load(path)
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
    onnx.save(model, path)
    return path


def write_graph(
    path: Path, kernels: Mapping[str, tuple[int, ...]], operations: tuple[str, ...] = ()
) -> Path:
    """Write a graph of convolutions, by their names and shapes, and of other operations."""
    helper, weights = onnx.helper, []
    nodes = [helper.make_node(kind, ["picture"], [kind]) for kind in operations]
    for name, shape in kernels.items():
        values = torch.zeros(shape).numpy()
        weights.append(numpy_helper.from_array(values, f"{name}.weight"))
        nodes.append(helper.make_node("Conv", ["picture", f"{name}.weight"], [name]))
    onnx.save(helper.make_model(helper.make_graph(nodes, "graph", [], [], weights)), path)
    return path


def _has_norms(network: SaliencyNetwork) -> bool:
    return any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
