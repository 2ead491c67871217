from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from preprocessing import Normalize, Rescale
from scripts.export import quantisation as subject
from scripts.export.calibration import stored_calibration
from scripts.export.quantisation import (
    FINEST_SIDE,
    SPLIT_SIDE,
    Quantisation,
    QuantisedWeights,
    Range,
    Scheme,
    is_quantised,
)
from scripts.export.trace import Operation
from scripts.weights.convert import folded_network
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import VARIANTS


@pytest.fixture(scope="module")
def network(weights: Path) -> SaliencyNetwork:
    return folded_network(torch.load(weights / "u2netp.pth", weights_only=True), VARIANTS["u2netp"])


@pytest.fixture(scope="module")
def pictures(photos: list[Image.Image]) -> list[Tensor]:
    return [Normalize()(Rescale(320)(photo)) for photo in photos[:2]]


@pytest.fixture(scope="module")
def scheme(network: SaliencyNetwork) -> Scheme:
    return Scheme.of(network)


@pytest.fixture(scope="module")
def quantisation(scheme: Scheme) -> Quantisation:
    calibration = stored_calibration(scheme)
    assert calibration is not None
    return calibration.quantisation(scheme)


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


def test_all_but_the_first_the_sensitive_and_coarse_sides_are_quantised(
    quantisation: Quantisation,
) -> None:
    assert len(quantisation.weights) == 111
    variant = VARIANTS["u2netp"]
    assert is_quantised(FINEST_SIDE, variant)
    assert not is_quantised("stage1d.rebnconv2d.conv_s1", variant)
    assert not is_quantised("side2", variant)
    assert not is_quantised("outconv", variant)
    assert not is_quantised("stage1.rebnconvin.conv_s1", variant)
    assert is_quantised("stage2.rebnconvin.conv_s1", variant)


def test_weights_for_a_single_map_have_a_scale_for_each_pixel_of_the_kernel() -> None:
    weights = torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(0))

    rounded = QuantisedWeights.of(weights)

    assert rounded.scale.shape == (1, 1, 3, 3)
    assert (np.abs(rounded.levels).max((0, 1)) == 127).all()
    error = (rounded.dequantised() - weights).abs()
    assert (error <= torch.from_numpy(rounded.scale) * 0.5001).all()


def test_what_no_relu_cuts_off_keeps_its_bias(quantisation: Quantisation) -> None:
    # Nor does what sees the picture, which is exact.
    assert len(quantisation.biases) == 111
    assert not [name for name in quantisation.biases if name.startswith(("side", "outconv"))]


def test_the_finest_side_takes_two_rounded_maps_and_no_sum(
    scheme: Scheme, quantisation: Quantisation
) -> None:
    steps = scheme.steps
    [side] = [step for step in steps if step.convolution == FINEST_SIDE]
    total = side.inputs[0]

    assert steps[total].operation is Operation.ADD
    assert total not in quantisation.ranges
    assert set(steps[total].inputs) <= set(quantisation.ranges)


def test_small_maps_keep_their_ranges_and_large_ones_share_one_when_concatenated(
    scheme: Scheme, quantisation: Quantisation
) -> None:
    steps = scheme.steps
    split = 0
    for step in steps:
        if step.convolution not in quantisation.weights:
            continue
        source = steps[step.inputs[0]]
        if source.operation is not Operation.CONCATENATE:
            continue
        ranges = {quantisation.ranges[place].largest for place in source.inputs}
        parts = quantisation.weights[step.convolution]
        if max(source.shape[2:]) > SPLIT_SIDE:
            assert len(ranges) == len(parts) == 1
        else:
            assert [part.levels.shape[1] for part in parts] == [
                steps[place].shape[1] for place in source.inputs
            ]
            split += len(ranges) == 2
    assert split


def test_no_sum_that_is_drawn_from_and_nothing_resized_is_rounded(
    scheme: Scheme, quantisation: Quantisation
) -> None:
    steps = scheme.steps
    for step in steps:
        drawn = step.convolution.startswith(("side", "outconv"))
        if step.operation is Operation.RESIZE or drawn:
            assert not set(step.inputs) & set(quantisation.ranges)


def test_ranges_hold_every_map_of_what_was_calibrated_with(
    network: SaliencyNetwork, scheme: Scheme, pictures: list[Tensor], quantisation: Quantisation
) -> None:
    largest: list[float] = []
    hooks = [
        module.register_forward_hook(lambda _, __, map_: largest.append(float(map_.max())))
        for module in network.modules()
        if isinstance(module, torch.nn.ReLU)
    ]
    with torch.inference_mode():
        network(torch.stack(pictures))
    for hook in hooks:
        hook.remove()

    relus = [place for place, step in enumerate(scheme.steps) if step.operation is Operation.RELU]
    assert len(relus) == len(largest) == 112
    rounded = 0
    for place, seen in zip(relus, largest, strict=True):
        if place in quantisation.ranges:
            rounded += 1
            assert seen <= quantisation.ranges[place].largest * 1.0001
    assert rounded > 60


def test_what_is_rounded_has_256_levels_and_no_more() -> None:
    values = torch.linspace(-3, 3, 5001)

    for levels, lowest in ((Range(2.0), 0.0), (Range(2.0, signed=True), -256 / 127)):
        rounded = levels.rounded(values)
        inside = (values >= lowest) & (values <= 2)
        assert (float(rounded.min()), float(rounded.max())) == pytest.approx((lowest, 2.0))
        assert len(set(rounded.tolist())) == 256
        assert ((rounded - values)[inside].abs() <= levels.step * 0.5001).all()


def test_only_what_a_stem_answers_has_a_sign(stemmed: SaliencyNetwork) -> None:
    scheme = Scheme.of(stemmed)

    signed = [scheme.names[p] for p in scheme.rounded if scheme.range_of(p, 1).signed]

    assert signed == ["conv_in"]
    assert "stage1.rebnconvin.conv_s1" in scheme.weights
    assert "conv_in" not in scheme.weights


def test_another_scheme_has_another_digest(scheme: Scheme, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scheme.digest

    assert Scheme.of(scheme.network).digest == before
    monkeypatch.setattr(subject, "SPLIT_SIDE", 320)
    assert Scheme.of(scheme.network).digest != before
