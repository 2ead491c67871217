"""A matte at the photo's own resolution."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from scripts.measure.edges.composites import hard_disc, lay, seen_by_the_network, spokes, tuft
from scripts.measure.edges.metrics import Floats, absolute_difference
from u2net_cutout.matting.refinement import BAND, mixture, refine

SIZE = (900, 600)
# What U²-Net can resolve.
SIDE = 320
RED, BLUE = (220, 40, 30), (30, 60, 200)


def floats(picture: Image.Image) -> Floats:
    return np.asarray(picture, np.float32) / 255


def error(matte: Image.Image, truth: Image.Image) -> float:
    return absolute_difference(floats(matte), floats(truth))


def flat(colour: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", SIZE, colour)


def rough(size: tuple[int, int]) -> Image.Image:
    """A matte that changes by much everywhere."""
    return Image.effect_noise((60, 40), 200).resize(size, Image.Resampling.BILINEAR)


@pytest.mark.parametrize("shape", [tuft, spokes])
def test_fine_shapes_come_back(shape, photos):
    truth = shape(SIZE)
    seen = seen_by_the_network(truth)
    for front, back in zip(photos, photos[1:] + photos[:1], strict=True):
        behind = ImageOps.fit(back, SIZE).filter(ImageFilter.GaussianBlur(8))
        picture = lay(ImageOps.fit(front, SIZE), behind, truth)
        assert error(refine(picture, seen, SIDE), truth) < 0.9 * error(seen, truth)


def test_flat_colours_give_the_truth_back():
    truth = hard_disc(SIZE)
    blurred = truth.filter(ImageFilter.GaussianBlur(5))
    refined = refine(lay(flat(RED), flat(BLUE), truth), blurred, SIDE)
    assert error(refined, truth) < 0.1 * error(blurred, truth)


def test_layers_that_look_alike_keep_the_matte():
    blurred = hard_disc(SIZE).filter(ImageFilter.GaussianBlur(5))
    assert refine(flat(RED), blurred, SIDE) == blurred


def test_a_soft_edge_stays_soft(photos):
    soft = hard_disc(SIZE).filter(ImageFilter.GaussianBlur(20))
    for front, back in zip(photos, photos[1:] + photos[:1], strict=True):
        picture = lay(ImageOps.fit(front, SIZE), ImageOps.fit(back, SIZE), soft)
        assert np.abs(floats(refine(picture, soft, SIDE)) - floats(soft)).mean() < 0.002


def test_what_is_sure_stays(photos):
    matte = rough(SIZE)
    before, after = (
        np.asarray(matte),
        np.asarray(refine(ImageOps.fit(photos[0], SIZE), matte, SIDE)),
    )
    sure = (before <= BAND[0]) | (before >= BAND[1])
    assert sure.any()
    assert not np.array_equal(before, after)
    assert np.array_equal(before[sure], after[sure])


@pytest.mark.parametrize("level", [0, 100, 255])
def test_without_both_layers_nothing_changes(photos, level):
    matte = Image.new("L", SIZE, level)
    assert refine(ImageOps.fit(photos[0], SIZE), matte, SIDE) == matte


def test_what_goes_in_is_left_alone(photos):
    picture, matte = ImageOps.fit(photos[0], SIZE), rough(SIZE)
    copies = picture.copy(), matte.copy()
    refine(picture, matte, SIDE)
    assert (picture, matte) == copies


@pytest.mark.parametrize("size", [(2, 1), (1, 2), (7, 5), (1201, 3), (3, 1201)])
def test_any_size(size):
    matte = Image.new("L", size, 255)
    matte.putpixel((0, 0), 0)
    ImageDraw.Draw(matte).point([(size[0] - 1, 0)], fill=100)
    assert refine(Image.new("RGB", size, RED), matte, SIDE).size == size


def test_the_work_in_strips_and_chunks_shows_nowhere(photos, monkeypatch):
    picture, matte = ImageOps.fit(photos[1], SIZE), rough(SIZE)
    whole = floats(refine(picture, matte, SIDE))
    monkeypatch.setattr("u2net_cutout.matting.refinement.CHUNK_PIXELS", 2000)
    assert np.abs(floats(refine(picture, matte, SIDE)) - whole).max() <= 1.01 / 255


def layer(colour: tuple[int, int, int], variance: float = 0) -> torch.Tensor:
    red, green, blue = map(float, colour)
    squares = [red**2 + variance, green**2 + variance, blue**2 + variance]
    products = [red * green, red * blue, green * blue]
    return torch.tensor([red, green, blue, *squares, *products])[:, None]


def test_clear_colours_overrule_the_network():
    seen = 0.25 * layer(RED)[:3] + 0.75 * layer(BLUE)[:3]
    share = mixture(seen, torch.tensor([0.8]), torch.tensor([0.15]), layer(RED), layer(BLUE))
    assert share.item() == pytest.approx(0.25, abs=0.01)


def test_motley_colours_count_for_less():
    seen = layer(BLUE)[:3]
    gaps = [
        mixture(
            seen, torch.tensor([0.8]), torch.tensor([0.15]), layer(RED), layer(BLUE, variance)
        ).item()
        for variance in (0, 5_000, 1e7)
    ]
    assert gaps == sorted(gaps)
    assert gaps[-1] == pytest.approx(0.8, abs=0.01)


def test_a_very_narrow_picture_keeps_its_matte() -> None:
    picture = Image.new("RGB", (1, 100_000), "red")
    alpha = Image.linear_gradient("L").resize((1, 100_000))

    assert refine(picture, alpha, SIDE).tobytes() == alpha.tobytes()


@pytest.mark.parametrize("sure", [0.9, 0.94])
def test_no_hole_opens_inside_a_subject_of_which_the_network_was_nearly_sure(sure: float) -> None:
    # A tyre with lettering in the background's colour, which the network took for the tyre's.
    matte = Image.new("L", SIZE)
    ImageDraw.Draw(matte).circle((450, 300), 250, fill=255)
    picture = lay(flat(RED), flat(BLUE), matte)
    letter = (400, 250, 500, 350)
    ImageDraw.Draw(picture).rectangle(letter, fill=BLUE)
    seen = seen_by_the_network(matte)
    # The network's own pixels, so that it's nearly sure of all that the letter covers.
    seen.paste(round(255 * sure) + 1, (360, 210, 540, 390))

    refined = floats(refine(picture, seen, SIDE))

    inside = np.s_[letter[1] : letter[3], letter[0] : letter[2]]
    assert refined[inside].min() >= sure
    # A hole that the network left open stays open.
    hollow = seen.copy()
    hollow.paste(round(255 * 0.5), letter)
    assert floats(refine(picture, hollow, SIDE))[300, 450] < 0.5
