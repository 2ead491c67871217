import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from preprocessing import Normalize, Rescale
from scripts.export.calibration import stored_calibration
from scripts.export.openvino_graph import keep_sensitive, openvino_graph, save_graph
from scripts.export.quantisation import FINEST_SIDE, Quantisation, Scheme
from scripts.export.trace import convolution, network_steps
from scripts.export.twin import twin_maps
from scripts.weights.convert import folded_network
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.inputs import HostInput
from u2net_cutout.network.openvino_library import openvino
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import VARIANTS

FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}
# Rounding to 8 bits is calculated in float32 as well: exact on any CPU.
EMULATED = {**FLOAT32, "LP_TRANSFORMS_MODE": "NO"}


@pytest.fixture(scope="module")
def network(weights: Path) -> SaliencyNetwork:
    return folded_network(torch.load(weights / "u2netp.pth", weights_only=True), VARIANTS["u2netp"])


@pytest.fixture(scope="module")
def picture(photos: list[Image.Image]) -> Tensor:
    return Normalize()(Rescale(320)(photos[0]))


@pytest.fixture(scope="module")
def quantisation(network: SaliencyNetwork) -> Quantisation:
    return _quantisation(network)


def _quantisation(network: SaliencyNetwork) -> Quantisation:
    scheme = Scheme.of(network)
    calibration = stored_calibration(scheme)
    assert calibration is not None
    return calibration.quantisation(scheme)


@pytest.mark.parametrize("kind", ["network", "stemmed"])
def test_the_graph_maps_a_photo_as_the_network_does(
    kind: str, request: pytest.FixtureRequest, photos: list[Image.Image]
) -> None:
    network: SaliencyNetwork = request.getfixturevalue(kind)
    picture = HostInput(network.variant).prepare(photos[0])
    compiled = openvino.Core().compile_model(openvino_graph(network), "CPU", FLOAT32)

    found = compiled([picture.unsqueeze(0).numpy()])[0]

    with torch.inference_mode():
        exact = copy.deepcopy(network).double()(picture.unsqueeze(0).double()).numpy()
    assert np.abs(found - exact).max() <= 1e-4


def test_a_graph_built_twice_is_the_same_file(network: SaliencyNetwork, tmp_path: Path) -> None:
    for name in ("first", "second"):
        save_graph(openvino_graph(network), tmp_path / name)

    for suffix in (".xml", ".bin"):
        first, second = (tmp_path / f"{name}{suffix}" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_one_convolution_is_marked_once(network: SaliencyNetwork, tmp_path: Path) -> None:
    save_graph(openvino_graph(network), tmp_path / "network")

    keep_sensitive(tmp_path / "network", 1)

    written = (tmp_path / "network.xml").read_text()
    assert written.count('name="precise"') == 1
    (tmp_path / "network.xml").write_text(written.replace("sensitive", "another"))
    with pytest.raises(ModelLoadError, match="0 sensitive convolutions, not 1"):
        keep_sensitive(tmp_path / "network", 1)


def test_the_finest_side_draws_with_its_rounded_weights_from_two_rounded_maps(
    network: SaliencyNetwork, picture: Tensor, quantisation: Quantisation
) -> None:
    steps = network_steps(network)
    [side] = [step for step in steps if step.convolution == FINEST_SIDE]
    ranges = {place: quantisation.ranges[place] for place in steps[side.inputs[0]].inputs}
    weights = quantisation.weights[FINEST_SIDE]
    only = Quantisation(ranges, {FINEST_SIDE: weights}, {})
    compiled = openvino.Core().compile_model(openvino_graph(network, only), "CPU", FLOAT32)

    found = compiled([picture.unsqueeze(0).numpy()])[0]

    # In float64, since torch's float32 alone can be as far off as what is looked for.
    twin, batch = copy.deepcopy(network).double(), picture.unsqueeze(0).double()
    # In the order in which they are added.
    for name, levels in zip(("rebnconvin", "rebnconv1d"), ranges.values(), strict=True):
        twin.get_submodule(f"stage1d.{name}").register_forward_hook(
            lambda _, __, map_, levels=levels: levels.rounded(map_)
        )
    with torch.inference_mode():
        unrounded = np.abs(found - twin(batch).numpy()).mean()
        convolution(twin, FINEST_SIDE).weight.copy_(weights[0].dequantised())
        error = np.abs(found - twin(batch).numpy()).mean()
    # A value between two levels may be rounded to either.
    assert error <= 1e-5
    assert unrounded > 4 * error


def test_the_graph_in_8_bits_draws_what_the_twin_draws(
    network: SaliencyNetwork, picture: Tensor, quantisation: Quantisation
) -> None:
    compiled = openvino.Core().compile_model(openvino_graph(network, quantisation), "CPU", EMULATED)

    found = compiled([picture.unsqueeze(0).numpy()])[0]

    with torch.inference_mode():
        twin = twin_maps(network, network_steps(network), quantisation, picture.unsqueeze(0))
        exact = network(picture.unsqueeze(0)).numpy()
    error, rounding = np.abs(found - twin.numpy()).mean(), np.abs(found - exact).mean()
    assert error < rounding / 2, (error, rounding)


def test_8_bit_weights_take_a_quarter_of_the_space(
    network: SaliencyNetwork, quantisation: Quantisation, tmp_path: Path
) -> None:
    save_graph(openvino_graph(network), tmp_path / "exact")
    save_graph(openvino_graph(network, quantisation), tmp_path / "rounded")

    exact, rounded = ((tmp_path / f"{n}.bin").stat().st_size for n in ("exact", "rounded"))
    # The matrices that resize the side maps are in floating point in both.
    assert rounded < 0.35 * exact
