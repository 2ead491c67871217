import numpy as np
import pytest
import torch
from PIL import Image

from u2net_cutout.matting.uncertainty import binary_entropy, heat_map, mean_uncertainty

UNDECIDED = torch.full((7, 8, 8), 0.5)
SURE = torch.ones(7, 8, 8)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_sure_maps_have_no_entropy(level: float) -> None:
    assert (binary_entropy(torch.full((7, 4, 4), level)) == 0).all()


def test_a_coin_toss_has_one_bit() -> None:
    torch.testing.assert_close(binary_entropy(UNDECIDED), torch.ones(8, 8))


@pytest.mark.parametrize("level", [0.25, 0.75])
def test_hesitation_counts_the_same_in_both_directions(level: float) -> None:
    bits = binary_entropy(torch.full((7, 1, 1), level))

    assert bits.item() == pytest.approx(0.811278, abs=1e-5)


def test_sure_maps_that_contradict_each_other_count() -> None:
    maps = torch.tensor([1.0, 1, 1, 1, 0, 0, 0]).view(7, 1, 1)

    assert binary_entropy(maps).item() == pytest.approx(0.985228, abs=1e-5)


def test_entropy_is_never_above_one_bit() -> None:
    maps = torch.rand(7, 64, 64, generator=torch.Generator().manual_seed(0))

    assert binary_entropy(maps).max() <= 1 + 1e-6


@pytest.mark.parametrize(
    ("maps", "bits"),
    [(SURE, 0), (UNDECIDED, 1), (torch.cat((SURE, UNDECIDED), dim=2), 0.5)],
    ids=["sure", "undecided", "half and half"],
)
def test_the_mean_uncertainty_is_in_bits_a_pixel(maps: torch.Tensor, bits: float) -> None:
    assert mean_uncertainty(maps) == pytest.approx(bits)


@pytest.mark.parametrize("size", [(1, 1), (640, 480), (1, 4000), (4000, 1)])
def test_a_heat_map_is_rgb_and_has_the_pictures_size(size: tuple[int, int]) -> None:
    painted = heat_map(Image.new("RGB", size, "teal"), torch.rand(7, 320, 320))

    assert (painted.size, painted.mode) == (size, "RGB")


def test_where_the_network_is_sure_the_dimmed_grey_picture_shows() -> None:
    painted = heat_map(Image.new("RGB", (4, 4), (200, 200, 200)), SURE)

    assert painted.getextrema() == ((70, 70),) * 3


def test_where_the_network_is_undecided_the_map_is_white() -> None:
    painted = heat_map(Image.new("RGB", (4, 4), "teal"), UNDECIDED)

    assert painted.getextrema() == ((255, 255),) * 3


def test_the_more_undecided_the_brighter() -> None:
    levels = torch.linspace(0, 0.5, 8).expand(7, 8, 8)

    row = np.asarray(heat_map(Image.new("RGB", (8, 8)), levels).convert("L"), np.int32)[0]

    assert (np.diff(row) > 0).all()


def test_a_black_picture_of_which_all_is_sure_stays_black() -> None:
    assert heat_map(Image.new("RGB", (4, 4)), SURE).getextrema() == ((0, 0),) * 3
