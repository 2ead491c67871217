"""From published weights to the folded state dict that is served. Knows no network connection.

Two kinds of files are read: the authors' checkpoints (``u2net.pth``), and ONNX exports of them, in
which batch norm is folded already. Nothing in them is trusted to be code.
"""

import pickle
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import Tensor

from scripts.weights.architecture import Misfit, advice, assigned, fits_checkpoint, fits_graph
from scripts.weights.onnx_file import read_onnx
from scripts.weights.record import WeightsError
from u2net_cutout.network.inputs import HostInput
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import VARIANTS, Variant

StateDict = dict[str, Tensor]

# How far a network may be from its ONNX graph, three times what was seen: 1.2e-4 of u2net with AVX2
# alone, 6e-4 of IS-Net's graph, which calculates in 16 bits. A weight in the wrong place changes
# maps by 0.1.
TOLERANCE = 2e-3
# How files of ``torch.save`` begin: today's, and those of torch before 1.6.
ZIP, PICKLE = b"PK\x03\x04", b"\x80\x02"


def read_weights(path: Path, variant: Variant) -> StateDict:
    """Read a checkpoint or an ONNX file, whatever its name, as folded weights of `variant`.

    Weights of 16 bits become float32.

    Raises:
        WeightsError: the file is missing, damaged, or belongs to another architecture.
    """
    if not path.is_file():
        raise WeightsError(f"{path} does not exist")
    state = _read_checkpoint(path, variant) if is_checkpoint(path) else _read_onnx(path, variant)
    if not all(torch.isfinite(tensor).all() for tensor in state.values()):
        raise WeightsError(f"{path.name} contains weights that are not finite")
    return state


def is_checkpoint(path: Path) -> bool:
    """Say whether ``torch.save`` wrote a file, by how it begins; else it may be ONNX."""
    with path.open("rb") as file:
        return file.read(len(ZIP)).startswith((ZIP, PICKLE))


def folded_network(state: StateDict, variant: Variant) -> SaliencyNetwork:
    """Build the network that serves a folded state dict."""
    network = SaliencyNetwork(variant, batch_norm=False).eval().requires_grad_(False)
    network.load_state_dict(state)
    return network


def check_against_onnx(state: StateDict, variant: Variant, path: Path) -> float:
    """Run a network and an ONNX graph on the same picture; return how far their maps are apart.

    Raises:
        WeightsError: they differ, or the graph can't be run.
    """
    try:
        difference = difference_from_onnx(folded_network(state, variant), path, _disc(variant))
    except Exception as error:  # onnxruntime's own errors share no other parent
        raise WeightsError(f"{path.name} can't be run: {_first_line(error)}") from error
    # Written so that what is not a number does not pass.
    if not difference <= TOLERANCE:
        raise WeightsError(
            f"the converted {variant.name} differs from its ONNX graph by {difference:.1e}, more "
            f"than {TOLERANCE:.0e}: refusing to use it"
        )
    return difference


def difference_from_onnx(network: SaliencyNetwork, path: Path, batch: Tensor) -> float:
    """Return the largest difference between a network's maps and those of an ONNX graph.

    `batch` is (1, 3, S, S), as from ``preprocessing``. The graph runs in onnxruntime. It may return
    fewer maps than the network, and further results after them.
    """
    expected = _maps_of_graph(path, batch)
    with torch.inference_mode():
        found = network(batch).numpy()
    return float(np.abs(found[:, : expected.shape[1]] - expected).max())


def _maps_of_graph(path: Path, batch: Tensor) -> npt.NDArray[np.float32]:
    """Run an ONNX graph; return its saliency maps, (1, M, S, S). Its memory is given back."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    picture = session.get_inputs()[0]
    taken = np.float16 if "float16" in picture.type else np.float32
    results = session.run(None, {picture.name: batch.numpy().astype(taken)})
    shape = 1, 1, *batch.shape[2:]
    return np.concatenate([each for each in results if each.shape == shape], axis=1)


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
        shapes = {name: tensor.shape for name, tensor in state.items()}
        fitting = [name for name, other in VARIANTS.items() if fits_checkpoint(shapes, other)]
        raise WeightsError(
            f"{path.name} is not a checkpoint of {variant.name}:{_mismatch(network, state)}"
            f"{advice(shapes, fitting)}"
        ) from error
    if with_norm:
        network.fold_batch_norm()
    return {name: tensor.detach() for name, tensor in network.state_dict().items()}


def _read_onnx(path: Path, variant: Variant) -> StateDict:
    file = read_onnx(path)
    found = file.convolutions
    try:
        weights = assigned(found, variant)
    except Misfit as error:
        shapes = {f"{name}.weight": each.weight.shape for each in found for name in each.names}
        fitting = [name for name, other in VARIANTS.items() if fits_graph(found, other)]
        raise WeightsError(
            f"{path.name} is not {variant.name}: {error}{advice(shapes, fitting, file.operations)}"
        ) from error
    return {name: torch.from_numpy(values) for name, values in weights.items()}


def _disc(variant: Variant) -> Tensor:
    """Return one picture with a clear subject, a disc of noise before a dark gradient."""
    random = torch.Generator().manual_seed(0)
    side = torch.linspace(-1, 1, variant.size)
    inside = torch.hypot(side[:, None], side) < 0.5
    noise = torch.rand(1, 3, variant.size, variant.size, generator=random)
    return HostInput(variant).normalize(255 * torch.where(inside, noise, (side + 1) / 8))


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
