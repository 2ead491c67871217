"""From published weights to the folded state dict that is served. Knows no network connection.

Two kinds of files are read: the authors' checkpoints (``u2net.pth``), and ONNX exports of them, in
which batch norm is folded already.
"""

import copy
import pickle
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from scripts.weights.record import WeightsError
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import Variant

StateDict = dict[str, Tensor]

# How far onnxruntime's float32 may be from the converted network in float64: three times what
# u2netp showed on CPUs with AVX2 alone (6e-5). A weight in the wrong place changes maps by 0.1.
TOLERANCE = 2e-4


def read_weights(path: Path, variant: Variant) -> StateDict:
    """Read a checkpoint (``.pth``) or an ONNX export (``.onnx``) as folded weights of `variant`.

    Raises:
        WeightsError: the file is missing, damaged, or belongs to another architecture.
    """
    if not path.is_file():
        raise WeightsError(f"there is no file {path}")
    state = _read_onnx(path, variant) if path.suffix == ".onnx" else _read_checkpoint(path, variant)
    if not all(torch.isfinite(tensor).all() for tensor in state.values()):
        raise WeightsError(f"{path.name} holds weights that are not finite numbers")
    return state


def folded_network(state: StateDict, variant: Variant) -> SaliencyNetwork:
    """Build the network that serves a folded state dict."""
    network = SaliencyNetwork(variant, batch_norm=False).eval().requires_grad_(False)
    network.load_state_dict(state)
    return network


def difference_from_onnx(network: SaliencyNetwork, path: Path, batch: Tensor) -> float:
    """Return the largest difference between a network's maps and an ONNX graph's.

    `batch` is (1, 3, S, S), as from ``preprocessing``. The graph runs in onnxruntime. The
    network runs in float64, since torch's own float32 differs more from it (1.2e-4 with AVX2).
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = session.run(None, {session.get_inputs()[0].name: batch.numpy()})
    with torch.inference_mode():
        found = copy.deepcopy(network).double()(batch.double()).numpy()
    return float(np.abs(found - np.concatenate(expected, axis=1)).max())


def _read_checkpoint(path: Path, variant: Variant) -> StateDict:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise WeightsError(
            f"{path.name} is not a checkpoint of plain weights, or is damaged: {_first_line(error)}"
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise WeightsError(f"{path.name} is not a state dict: expected names with tensors")
    with_norm = any(".bn_s1." in name for name in state)
    network = SaliencyNetwork(variant, batch_norm=with_norm)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(
            f"{path.name} is not a checkpoint of {variant.name}:{_mismatch(network, state)}"
        ) from error
    if with_norm:
        network.fold_batch_norm()
    return {name: tensor.detach() for name, tensor in network.state_dict().items()}


def _read_onnx(path: Path, variant: Variant) -> StateDict:
    """Fill the network in the order in which both run their convolutions.

    The exporter numbered the folded weights, so their names say nothing; the order, each shape and
    each dilation say all.
    """
    try:
        graph = onnx.load(path).graph
    except Exception as error:  # protobuf's and onnx's own errors share no other parent
        raise WeightsError(f"{path.name} is damaged: {_first_line(error)}") from error
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "Conv"]
    convolutions = _in_execution_order(SaliencyNetwork(variant, batch_norm=False))
    if len(nodes) != len(convolutions):
        raise WeightsError(
            f"{path.name} has {len(nodes)} convolutions; {variant.name} has {len(convolutions)}"
        )
    state: StateDict = {}
    for node, (name, convolution) in zip(nodes, convolutions, strict=True):
        if len(node.input) != 3:
            raise WeightsError(f"{path.name} is not {variant.name}: no bias at {name}")
        weight, bias = (
            torch.from_numpy(numpy_helper.to_array(tensors[key]).copy()) for key in node.input[1:]
        )
        dilations = next(list(a.ints) for a in node.attribute if a.name == "dilations")
        if weight.shape != convolution.weight.shape or dilations != list(convolution.dilation):
            raise WeightsError(
                f"{path.name} is not {variant.name}: at {name} it has {tuple(weight.shape)} with "
                f"dilation {dilations}, not {tuple(convolution.weight.shape)} with "
                f"{list(convolution.dilation)}"
            )
        state[f"{name}.weight"], state[f"{name}.bias"] = weight, bias
    return state


def _in_execution_order(network: SaliencyNetwork) -> list[tuple[str, nn.Conv2d]]:
    """List the network's convolutions as a forward pass meets them."""
    met: list[tuple[str, nn.Conv2d]] = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(
                lambda convolution, _, name=name: met.append((name, convolution))
            )
    # On the meta device a pass computes shapes only.
    size = network.variant.size
    network.to("meta")(torch.empty(1, 3, size, size, device="meta"))
    return met


def _mismatch(network: SaliencyNetwork, state: StateDict) -> str:
    expected = network.state_dict()
    shared = expected.keys() & state.keys()
    problems = {
        "lacks": sorted(expected.keys() - state.keys()),
        "does not know": sorted(state.keys() - expected.keys()),
        "differs in shape at": sorted(n for n in shared if expected[n].shape != state[n].shape),
    }
    return ";".join(
        f" it {problem} {len(names)} of the names, first {names[0]}"
        for problem, names in problems.items()
        if names
    )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
