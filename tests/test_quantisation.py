from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from network_steps import Operation, network_steps
from preprocessing import Normalize, Rescale
from quantisation import Quantisation, QuantisedWeights, is_quantised, quantise
from saliency_network import VARIANTS, SaliencyNetwork
from weights_conversion import folded_network


@pytest.fixture(scope="module")
def network(weights: Path) -> SaliencyNetwork:
    return folded_network(torch.load(weights / "u2netp.pth", weights_only=True), VARIANTS["u2netp"])


@pytest.fixture(scope="module")
def pictures(photos: list[Image.Image]) -> list[Tensor]:
    return [Normalize()(Rescale(320)(photo)) for photo in photos[:2]]


@pytest.fixture(scope="module")
def quantisation(network: SaliencyNetwork, pictures: list[Tensor]) -> Quantisation:
    return quantise(network, pictures, lambda what: None)


def test_weights_are_rounded_by_less_than_half_a_level() -> None:
    weights = torch.randn(5, 4, 3, 3, generator=torch.Generator().manual_seed(0))

    rounded = QuantisedWeights.of(weights)

    assert rounded.levels.dtype == np.int8
    error = (rounded.dequantised() - weights).abs().amax((1, 2, 3))
    assert (error <= torch.from_numpy(rounded.scale).flatten() * 0.5001).all()
    # Each channel's own largest weight is the largest level.
    assert (np.abs(rounded.levels).max((1, 2, 3)) == 127).all()


def test_weights_of_a_dead_channel_stay_zero() -> None:
    rounded = QuantisedWeights.of(torch.zeros(2, 3, 3, 3))

    assert not rounded.dequantised().any()


def test_all_but_the_ends_of_the_network_are_quantised(quantisation: Quantisation) -> None:
    assert len(quantisation.weights) == 111
    assert len(quantisation.biases) == 119
    assert not is_quantised("side1")
    assert not is_quantised("outconv")
    assert not is_quantised("stage1.rebnconvin.conv_s1")
    assert is_quantised("stage2.rebnconvin.conv_s1")


def test_maps_that_flow_into_one_another_share_a_range(
    network: SaliencyNetwork, quantisation: Quantisation
) -> None:
    steps = network_steps(network)
    ranges = dict(quantisation.ranges)

    for place, step in enumerate(steps):
        if step.operation in (Operation.MAX_POOL, Operation.CONCATENATE) and step.shape[1] > 7:
            sources = {ranges.get(source, ranges.get(place)) for source in step.inputs}
            known = {ranges[source] for source in step.inputs if source in ranges}
            assert len(known) <= 1, (place, sources)


def test_ranges_hold_everything_that_was_calibrated_with(quantisation: Quantisation) -> None:
    assert all(largest > 0 for largest in quantisation.ranges.values())


def test_the_same_pictures_give_the_same_quantisation(
    network: SaliencyNetwork, pictures: list[Tensor], quantisation: Quantisation
) -> None:
    again = quantise(network, pictures, lambda what: None)

    assert again.ranges == quantisation.ranges
    assert all(np.array_equal(again.biases[n], b) for n, b in quantisation.biases.items())
