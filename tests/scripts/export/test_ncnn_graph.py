import copy
from pathlib import Path

import ncnn
import numpy as np
import pytest
import torch
from PIL import Image

from scripts.export.ncnn_graph import ncnn_graph
from scripts.weights.convert import folded_network
from u2net_cutout.network import ncnn_runtime as ncnn_runtime
from u2net_cutout.network.inputs import HostInput
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import VARIANTS


@pytest.fixture(scope="module")
def network(weights: Path) -> SaliencyNetwork:
    return folded_network(torch.load(weights / "u2netp.pth", weights_only=True), VARIANTS["u2netp"])


@pytest.mark.parametrize("kind", ["network", "stemmed"])
def test_the_graph_maps_a_photo_as_the_network_does(
    kind: str, request: pytest.FixtureRequest, photos: list[Image.Image], tmp_path: Path
) -> None:
    network: SaliencyNetwork = request.getfixturevalue(kind)
    picture = HostInput(network.variant).prepare(photos[0]).contiguous()
    weights, param = ncnn_graph(network).save(tmp_path / "network")
    net = ncnn_runtime._net(2)
    assert net.load_param(str(param)) == 0
    assert net.load_model(str(weights)) == 0

    with net.create_extractor() as extractor:
        extractor.input("picture", ncnn.Mat(picture.numpy()))
        _, maps = extractor.extract("maps")
        found = np.array(maps)

    with torch.inference_mode():
        exact = copy.deepcopy(network).double()(picture.unsqueeze(0).double())[0].numpy()
    assert np.abs(found - exact).max() <= 1e-4


def test_a_graph_built_twice_is_the_same(network: SaliencyNetwork) -> None:
    assert ncnn_graph(network) == ncnn_graph(network)


def test_every_result_is_taken_once_as_the_format_wants_it(network: SaliencyNetwork) -> None:
    lines = [line.split() for line in ncnn_graph(network).param.splitlines()]
    (magic,), (layers, blobs), *rest = lines
    made: list[str] = []
    taken: list[str] = []
    for _, _, sources, results, *names in rest:
        taken += names[: int(sources)]
        # Made before they are taken.
        assert set(taken) <= set(made)
        made += names[int(sources) : int(sources) + int(results)]

    assert magic == "7767517"
    assert (int(layers), int(blobs)) == (len(rest), len(made))
    assert len(set(made)) == len(made)
    assert sorted([*taken, "maps"]) == sorted(made)


def test_the_weights_are_all_there_is_to_the_file(network: SaliencyNetwork) -> None:
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    numbers = sum(p.numel() for m in convolutions for p in m.parameters())

    assert len(ncnn_graph(network).weights) == 4 * (numbers + len(convolutions))
