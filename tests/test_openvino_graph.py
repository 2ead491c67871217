import copy
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from PIL import Image

from network_steps import network_steps
from openvino_graph import keep_sensitive, openvino_graph, save_graph
from preprocessing import Normalize, Rescale
from quantisation import FINEST_SIDE, Quantisation, quantise
from runtime_errors import ModelLoadError
from saliency_network import VARIANTS, SaliencyNetwork
from weights_conversion import folded_network


@pytest.fixture(scope="module")
def network(weights: Path) -> SaliencyNetwork:
    return folded_network(torch.load(weights / "u2netp.pth", weights_only=True), VARIANTS["u2netp"])


def test_the_graph_maps_a_photo_as_the_network_does(
    network: SaliencyNetwork, photos: list[Image.Image]
) -> None:
    picture = Normalize()(Rescale(320)(photos[0])).unsqueeze(0)
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(openvino_graph(network), "CPU", settings)

    found = compiled([picture.numpy()])[0]

    with torch.inference_mode():
        assert np.abs(found - network(picture).numpy()).max() <= 1e-4


def test_a_graph_built_twice_is_the_same_file(network: SaliencyNetwork, tmp_path: Path) -> None:
    for name in ("first", "second"):
        save_graph(openvino_graph(network), tmp_path / name)

    for suffix in (".xml", ".bin"):
        first, second = (tmp_path / f"{name}{suffix}" for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_one_convolution_is_marked_once(network: SaliencyNetwork, tmp_path: Path) -> None:
    save_graph(openvino_graph(network), tmp_path / "network")

    keep_sensitive(tmp_path / "network")

    written = (tmp_path / "network.xml").read_text()
    assert written.count('name="precise"') == 1
    (tmp_path / "network.xml").write_text(written.replace("sensitive", "another"))
    with pytest.raises(ModelLoadError, match="0 times, not once"):
        keep_sensitive(tmp_path / "network")


def test_the_finest_side_calculates_in_8_bits_with_the_weights_that_were_rounded(
    network: SaliencyNetwork, photos: list[Image.Image]
) -> None:
    picture = Normalize()(Rescale(320)(photos[0]))
    quantisation = quantise(network, [picture], lambda what: None)
    [weights] = quantisation.weights[FINEST_SIDE]
    twin = copy.deepcopy(network)
    finest = twin.get_submodule(FINEST_SIDE)
    finest.weight = torch.nn.Parameter(weights.dequantised(), requires_grad=False)
    steps = network_steps(network)
    [side] = [step for step in steps if step.convolution == FINEST_SIDE]
    ranges = {place: quantisation.ranges[place] for place in steps[side.inputs[0]].inputs}
    only = Quantisation(ranges, {FINEST_SIDE: [weights]}, {})
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(openvino_graph(network, only), "CPU", settings)

    found = compiled([picture.unsqueeze(0).numpy()])[0]

    with torch.inference_mode():
        expected = twin(picture.unsqueeze(0)).numpy()
    # Map 0 is the fused one, 1 the finest side's. Only what that takes is rounded beside it.
    assert np.abs(found - expected)[0, 1].mean() <= 1e-3


def test_8_bit_weights_take_a_quarter_of_the_space(
    network: SaliencyNetwork, photos: list[Image.Image], tmp_path: Path
) -> None:
    quantisation = quantise(network, [Normalize()(Rescale(320)(photos[0]))], lambda what: None)
    save_graph(openvino_graph(network), tmp_path / "exact")
    save_graph(openvino_graph(network, quantisation), tmp_path / "rounded")

    exact, rounded = ((tmp_path / f"{n}.bin").stat().st_size for n in ("exact", "rounded"))
    # The matrices that resize the side maps are in floating point in both.
    assert rounded < 0.35 * exact
