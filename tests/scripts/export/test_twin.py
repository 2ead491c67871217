import copy

import torch
from PIL import Image

from scripts.export.quantisation import Quantisation, Range, Scheme
from scripts.export.trace import biases, convolution
from scripts.export.twin import twin_maps
from u2net_cutout.network.inputs import HostInput
from u2net_cutout.network.u2net import SaliencyNetwork


def test_without_rounding_the_twin_is_the_network(
    stemmed: SaliencyNetwork, photos: list[Image.Image]
) -> None:
    picture = HostInput(stemmed.variant).prepare(photos[0]).unsqueeze(0)

    with torch.inference_mode():
        maps = twin_maps(stemmed, Scheme.of(stemmed).steps, Quantisation({}, {}, {}), picture)

        assert torch.allclose(maps, stemmed(picture), atol=1e-6)


def test_the_twin_rounds_weights_maps_and_takes_corrected_biases(
    stemmed: SaliencyNetwork, photos: list[Image.Image]
) -> None:
    picture = HostInput(stemmed.variant).prepare(photos[0]).unsqueeze(0)
    scheme = Scheme.of(stemmed)
    first, second = "conv_in", "stage1.rebnconvin.conv_s1"
    place, levels = scheme.names.index(first), Range(1.5, signed=True)
    bias = biases(convolution(stemmed, second)) + 0.5
    weights = {second: scheme.weights[second]}
    by_hand = copy.deepcopy(stemmed)
    convolution(by_hand, first).register_forward_hook(lambda _, __, map_: levels.rounded(map_))

    with torch.inference_mode():
        convolution(by_hand, second).weight.copy_(weights[second][0].dequantised())
        biases(convolution(by_hand, second)).copy_(bias)
        quantisation = Quantisation({place: levels}, weights, {second: bias.numpy()})
        maps = twin_maps(stemmed, scheme.steps, quantisation, picture)

        assert torch.allclose(maps, by_hand(picture), atol=1e-6)
        assert not torch.allclose(maps, stemmed(picture), atol=1e-3)
