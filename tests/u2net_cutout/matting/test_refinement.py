"""A matte at the photo's own resolution."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from scipy import ndimage

from scripts.measure.edges.composites import hard_disc, lay, seen_by_the_network, spokes, tuft
from scripts.measure.edges.metrics import Floats, absolute_difference
from tests.u2net_cutout.matting.pull_push import enlarged, pull_push
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


@pytest.mark.parametrize("variance", [0, 91])
@pytest.mark.parametrize("aside", [0, 4, 5, 12, 17, 60])
def test_a_colour_that_no_mixture_of_both_layers_has_says_less(aside, variance):
    foreground, background = layer((200, 100, 100), variance), layer((100, 100, 100), variance)

    share = mixture(
        torch.tensor([100.0, 100 + aside, 100])[:, None],
        *(torch.tensor([0.8]), torch.tensor([0.15])),
        *(foreground, background),
    )

    # The camera's noise is in both: the variance, and what is usual aside of the line.
    spread = variance + 9
    certainty = 10_000 / (spread + 8 * max(0, aside**2 - 2 * spread))
    assert share.item() == pytest.approx(0.8 / 0.15 / (1 / 0.15 + certainty), rel=0.05)


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


def by_the_book(picture: Image.Image, alpha: Image.Image) -> Floats:
    """Return a refined matte in levels, calculated at every pixel as the module describes it."""
    colours, matte = np.asarray(picture, float), np.asarray(alpha, float)
    height, width = matte.shape
    cell = max(1, -(-max(width, height) // 375))
    rows, columns = -(-height // cell), -(-width // cell)
    products = colours[..., :, None] * colours[..., None, :]
    values = np.dstack([np.ones_like(matte), colours, products.reshape(height, width, 9)])
    layers = []
    for sure in (matte >= 247, matte <= 8):
        inside = np.zeros((rows * cell, columns * cell, 13))
        inside[:height, :width] = values * sure[..., None]
        means = inside.reshape(rows, cell, columns, cell, 13).mean(axis=(1, 3))
        spread = pull_push(means[..., 1:], means[..., :1])
        layers.append(enlarged(spread, (cell, cell), (height, width)))
    line = layers[0][..., :3] - layers[1][..., :3]
    length = (line**2).sum(axis=2)
    shown = ((colours - layers[1][..., :3]) * line).sum(axis=2) / (length + 1)
    share = shown.clip(0, 1)[..., None, None]
    covariance = np.zeros((height, width, 3, 3))
    for weight, layer in zip((share, 1 - share), layers, strict=True):
        mean, moments = layer[..., :3], layer[..., 3:].reshape(height, width, 3, 3)
        covariance += weight**2 * (moments - mean[..., :, None] * mean[..., None, :])
    aside = colours - layers[1][..., :3] - shown[..., None] * line
    distance = (aside**2).sum(axis=2)
    spreads = []
    for direction, square in ((line, length), (aside, distance)):
        along = direction / np.sqrt(square + 1)[..., None]
        spreads.append(np.einsum("yxi,yxij,yxj->yx", along, covariance, along).clip(min=0) + 9)
    # What is more than usual aside of the line counts as a spread along it.
    certainty = length / (spreads[0] + 8 * (distance - 2 * spreads[1]).clip(min=0))
    # How steep the network's alpha is over 3 x 3 of its own pixels, as a variance.
    seen = np.asarray(alpha.resize((320, 320), Image.Resampling.BOX), float) / 255
    change = ndimage.maximum_filter(seen, 3) - ndimage.minimum_filter(seen, 3)
    steep = Image.fromarray((0.15 * ((change - 0.2) / 0.2).clip(0, 1) + 1e-4).astype(np.float32))
    doubt = np.asarray(steep.resize(alpha.size, Image.Resampling.BILINEAR))
    refined = (matte / 255 / doubt + shown * certainty) / (1 / doubt + certainty)
    unsure = (matte > 8) & (matte < 247)
    # No hole inside a subject of which the network was nearly sure, over 3 x 3 of its own pixels.
    inside = ndimage.minimum_filter(seen, 3) >= 0.9
    own = inside[np.arange(height)[:, None] * 320 // height, np.arange(width) * 320 // width]
    refined = np.where(own, np.maximum(refined, matte / 255), refined)
    return np.where(unsure, refined.clip(0, 1) * 255, matte).astype(np.float32)


# Cells of 2, 4, 1 and 2 pixels, the last picture being no wider than one of them.
@pytest.mark.parametrize("size", [(251, 376), (1280, 853), (375, 51), (2, 400)])
def test_each_pixel_is_what_the_description_makes_it(photos, size):
    truth = spokes(size)
    seen = seen_by_the_network(truth)
    front, back = ImageOps.fit(photos[2], size), ImageOps.fit(photos[1], size)
    picture = lay(front, back, truth)

    ours = np.asarray(refine(picture, seen, SIDE), np.float32)

    off = ours - by_the_book(picture, seen)
    assert np.abs(off).max() <= 1
    # It is rounded.
    assert np.abs(off).mean() < 0.26
    assert np.abs(off.mean()) < 0.02
    assert np.abs(ours - np.asarray(seen, np.float32)).max() > 50


@pytest.mark.parametrize("prior", [0.1, 0.6])
def test_the_variance_of_a_layer_counts_along_the_line_between_both(prior):
    # Pixels of both layers, drawn from covariances that are not the identity's.
    random = np.random.default_rng(1)
    mixing = np.array([[30.0, 5, 0], [0, 12, 8], [3, 0, 20]])
    front = random.normal(size=(5000, 3)) @ mixing + RED
    back = random.normal(size=(5000, 3)) @ mixing.T + BLUE
    seen = 0.7 * np.array(RED) + 0.3 * np.array(BLUE) + (4, -3, 2)

    share = mixture(
        torch.tensor(seen, dtype=torch.float32)[:, None],
        *(torch.tensor([each]) for each in (prior, 0.15)),
        *(moments_of(each) for each in (front, back)),
    )

    line = front.mean(axis=0) - back.mean(axis=0)
    shown = (seen - back.mean(axis=0)) @ line / (line @ line + 1)
    along = line / np.sqrt(line @ line + 1)
    front_spread, back_spread = (along @ np.cov(x.T, bias=True) @ along for x in (front, back))
    certainty = line @ line / (shown**2 * front_spread + (1 - shown) ** 2 * back_spread + 9)
    expected = (prior / 0.15 + shown * certainty) / (1 / 0.15 + certainty)
    assert share.item() == pytest.approx(expected, rel=1e-3)


def moments_of(colours: npt.NDArray[np.float64]) -> torch.Tensor:
    """A layer of these colours (N, 3): their means, and those of the products rr gg bb rg rb gb."""
    red, green, blue = colours.T
    products = [red * red, green * green, blue * blue, red * green, red * blue, green * blue]
    return torch.tensor([each.mean() for each in (*colours.T, *products)]).float()[:, None]


@pytest.mark.parametrize("levels", [(0, 128), (128, 255)])
def test_a_matte_that_is_sure_of_one_layer_alone_stays(photos, levels):
    matte = Image.linear_gradient("L").resize(SIZE).point(lambda y: levels[y > 127])

    assert refine(ImageOps.fit(photos[0], SIZE), matte, SIDE).tobytes() == matte.tobytes()


def test_levels_at_the_ends_of_the_band_are_sure(photos):
    size = (90, 60)
    levels = np.array([8, 128, 247], np.uint8)
    matte = Image.fromarray(np.random.default_rng(0).choice(levels, size[::-1]))
    picture = ImageOps.fit(photos[0], size)

    ours = np.asarray(refine(picture, matte, SIDE), np.float32)

    assert np.abs(ours - by_the_book(picture, matte)).max() <= 1
    assert (ours != np.asarray(matte)).any()


@pytest.mark.parametrize("seen", [90, 100, 102, 105, 109, 110, 125])
@pytest.mark.parametrize("variances", [(0, 0), (40, 90), (90, 40), (-5, -5)])
@pytest.mark.parametrize("prior", [0.0, 0.4, 1.0])
def test_between_near_colours_both_shares_count_by_their_certainty(seen, variances, prior):
    foreground, background = (
        layer((red, 100, 100), variance)
        for red, variance in zip((110, 100), variances, strict=True)
    )

    share = mixture(
        torch.tensor([seen, 100.0, 100.0])[:, None],
        *(torch.tensor([prior]), torch.tensor([0.15])),
        *(foreground, background),
    )

    # The line between them is 10 levels long, and one more keeps it from being none at all.
    shown = (seen - 100) * 10 / 101
    part, (front, behind) = min(max(shown, 0), 1), (max(each, 0) * 100 / 101 for each in variances)
    certainty = 100 / (part**2 * front + (1 - part) ** 2 * behind + 9)
    expected = (prior / 0.15 + shown * certainty) / (1 / 0.15 + certainty)
    assert share.item() == pytest.approx(min(max(expected, 0), 1), abs=2e-3)
