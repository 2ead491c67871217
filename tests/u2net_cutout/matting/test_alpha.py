import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from u2net_cutout.matting.alpha import alpha_matte, stretch


def test_a_map_is_stretched_to_fill_the_range() -> None:
    stretched = stretch(torch.tensor([[0.2, 0.3], [0.4, 0.6]]))

    torch.testing.assert_close(stretched, torch.tensor([[0, 0.25], [0.5, 1]]))


def test_each_map_is_stretched_by_its_own_range() -> None:
    faint, strong = torch.tensor([[0.1, 0.2]]), torch.tensor([[0.1, 0.9]])

    torch.testing.assert_close(stretch(faint), stretch(strong))


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_flat_map_has_no_foreground(level: float) -> None:
    assert (stretch(torch.full((4, 4), level)) == 0).all()


def test_stretching_leaves_the_map_alone() -> None:
    saliency = torch.tensor([[0.2, 0.6]])

    stretch(saliency)

    assert torch.equal(saliency, torch.tensor([[0.2, 0.6]]))


def test_alpha_is_truncated_not_rounded() -> None:
    # 0.999 x 255 is 254.7.
    saliency = torch.tensor([[0.0, 0.5, 0.999, 1.0]])

    assert np.asarray(alpha_matte(saliency, (4, 1))).tolist() == [[0, 127, 254, 255]]


@pytest.mark.parametrize("size", [(1, 1), (320, 320), (640, 100), (1, 4000), (4000, 1)])
def test_the_matte_has_the_requested_width_and_height(size: tuple[int, int]) -> None:
    matte = alpha_matte(torch.rand(320, 320), size)

    assert (matte.size, matte.mode) == (size, "L")


def test_the_matte_is_scaled_bilinearly() -> None:
    saliency = torch.rand(32, 32, generator=torch.Generator().manual_seed(0))
    unscaled = alpha_matte(saliency, (32, 32))

    scaled = alpha_matte(saliency, (75, 50))

    expected = unscaled.resize((75, 50), Image.Resampling.BILINEAR)
    assert np.array_equal(np.asarray(scaled), np.asarray(expected))


@pytest.mark.parametrize(
    "seen",
    [
        (slice(9, 20), slice(5, 11)),
        (slice(0, 1), slice(0, 1)),
        (slice(31, 32), slice(31, 32)),
        (slice(4, 6), slice(0, 32)),
        (slice(0, 32), slice(0, 32)),
    ],
)
@pytest.mark.parametrize("size", [(1000, 700), (75, 50), (32, 50), (50, 32), (9, 500), (500, 9)])
def test_a_matte_of_little_is_scaled_as_one_of_much(
    seen: tuple[slice, slice], size: tuple[int, int]
) -> None:
    saliency = torch.zeros(32, 32)
    saliency[seen] = torch.rand(32, 32, generator=torch.Generator().manual_seed(0))[seen] + 0.1
    unscaled = alpha_matte(saliency, (32, 32))

    scaled = alpha_matte(saliency, size)

    assert scaled.tobytes() == unscaled.resize(size, Image.Resampling.BILINEAR).tobytes()


def test_a_map_that_is_not_contiguous_is_not_scrambled() -> None:
    saliency = torch.rand(8, 8, generator=torch.Generator().manual_seed(0))

    turned = alpha_matte(saliency.T, (8, 8))

    expected = alpha_matte(saliency, (8, 8)).transpose(Image.Transpose.TRANSPOSE)
    assert np.array_equal(np.asarray(turned), np.asarray(expected))


def test_a_flat_map_gives_a_fully_transparent_matte() -> None:
    assert alpha_matte(torch.full((320, 320), 0.7), (10, 10)).getextrema() == (0, 0)


@pytest.mark.parametrize(
    "size",
    [
        *((1, 1), (20, 9), (32, 32), (300, 170), (5000, 100), (100, 5000), (1, 300), (300, 1)),
        # A row is more than what is worked on at a time.
        (300_000, 3),
    ],
)
def test_a_mask_that_is_rounded_last_is_the_authors(size: tuple[int, int]) -> None:
    saliency = torch.rand(32, 32, generator=torch.Generator().manual_seed(0))

    matte = np.asarray(alpha_matte(saliency, size, rounded_last=True), int)

    # `Inference.py` of IS-Net, but for the range, which is the map's and not the sampled one's.
    stretched = stretch(saliency)[None, None].double()
    sampled = functional.interpolate(stretched, size[::-1], mode="bilinear")[0, 0] * 255
    off = sampled.numpy() - matte
    assert -1e-3 <= off.min() <= off.max() <= 1 + 1e-3


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
def test_a_map_that_is_broken_stays_so(broken: float) -> None:
    saliency = torch.tensor([[0.2, broken], [0.4, 0.6]])

    assert not torch.isfinite(stretch(saliency)).all()
