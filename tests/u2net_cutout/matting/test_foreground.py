"""The foreground's own colour in a cutout's edge."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from scripts.measure.edges.composites import lay, seen_by_the_network
from scripts.measure.edges.metrics import Floats, colour_error
from tests.u2net_cutout.matting.pull_push import enlarged, pull_push
from u2net_cutout.matting.foreground import INVISIBLE, decontaminate, purify, spread, unmix

SIZE = (600, 400)
# What U²-Net can resolve.
SIDE = 320

Pair = tuple[Image.Image, Image.Image]


@pytest.fixture(scope="module")
def disc() -> Image.Image:
    """The alpha of a disc with an edge of some pixels."""
    alpha = Image.new("L", SIZE)
    ImageDraw.Draw(alpha).circle((300, 200), 120, fill=255)
    return alpha.filter(ImageFilter.GaussianBlur(4))


@pytest.fixture(scope="module")
def pairs(photos: list[Image.Image]) -> list[Pair]:
    """Each photo and the one to lay it over."""
    fitted = [ImageOps.fit(photo, SIZE) for photo in photos]
    return list(zip(fitted, fitted[1:] + fitted[:1], strict=True))


def mended(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    """Return the colours of a cutout whose alpha is checked to be the one that was given."""
    cutout = decontaminate(picture, alpha, SIDE)
    assert (cutout.mode, cutout.getchannel("A").tobytes()) == ("RGBA", alpha.tobytes())
    return cutout.convert("RGB")


def floats(picture: Image.Image) -> Floats:
    return np.asarray(picture, np.float32) / 255


def noise(size: tuple[int, int], channels: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], channels), np.uint8)
    return Image.fromarray(values.squeeze(2) if channels == 1 else values)


def test_only_the_edge_changes(pairs, disc):
    opacity = np.asarray(disc)
    for foreground, background in pairs:
        picture = lay(foreground, background, disc)

        changed = (np.asarray(mended(picture, disc)) != np.asarray(picture)).any(axis=2)

        assert changed.any()
        assert not changed[(opacity == 0) | (opacity == 255)].any()


def test_its_inputs_stay_as_they_are(pairs, disc):
    picture = lay(pairs[0][0], pairs[0][1], disc)
    before = picture.tobytes(), disc.tobytes()

    decontaminate(picture, disc, SIDE)

    assert (picture.tobytes(), disc.tobytes()) == before


def test_a_disc_of_one_colour_over_another_gets_its_colour_back(disc):
    orange, blue = (230, 120, 30), (20, 60, 200)
    picture = lay(Image.new("RGB", SIZE, orange), Image.new("RGB", SIZE, blue), disc)

    cutout = np.asarray(mended(picture, disc)).astype(int)

    assert np.abs(cutout[np.asarray(disc) > INVISIBLE] - orange).max() <= 3


def test_a_thin_line_gets_its_colour_back():
    white, green = (250, 250, 250), (0, 120, 60)
    alpha = Image.new("L", SIZE)
    ImageDraw.Draw(alpha).line((50, 20, 550, 380), fill=255, width=3)
    alpha = alpha.filter(ImageFilter.GaussianBlur(1))
    picture = lay(Image.new("RGB", SIZE, white), Image.new("RGB", SIZE, green), alpha)

    cutout = np.asarray(mended(picture, alpha)).astype(int)

    assert alpha.getextrema() == (0, 236)
    assert np.abs(cutout[np.asarray(alpha) > INVISIBLE] - white).max() <= 3


def test_a_rim_on_photos_shrinks_to_less_than_two_thirds(pairs, disc):
    for foreground, background in pairs:
        picture = lay(foreground, background, disc)
        rim = colour_error(floats(picture), floats(foreground), floats(disc))

        left = colour_error(floats(mended(picture, disc)), floats(foreground), floats(disc))

        assert left < rim * 2 / 3


def test_a_matte_softer_than_the_edge_leaves_less_of_a_rim_than_the_picture(pairs, disc):
    soft = seen_by_the_network(disc)
    for foreground, background in pairs:
        picture = lay(foreground, background, disc.point(lambda level: 255 * (level > 127)))
        rim = colour_error(floats(picture), floats(foreground), floats(soft))

        left = colour_error(floats(mended(picture, soft)), floats(foreground), floats(soft))

        assert left < rim


def test_it_is_about_as_exact_as_the_multi_level_estimate(pairs, disc):
    reason = "pip install pymatting==1.1.16, to compare with its multi-level estimate"
    pymatting = pytest.importorskip("pymatting", reason=reason)
    ours, theirs = [], []
    for foreground, background in pairs:
        picture = lay(foreground, background, disc)
        truth, shares = floats(foreground), floats(disc)
        reference = pymatting.estimate_foreground_ml(floats(picture), shares)
        ours.append(colour_error(floats(mended(picture, disc)), truth, shares))
        theirs.append(colour_error(reference, truth, shares))

    assert np.mean(ours) <= 1.15 * np.mean(theirs)


def test_invisible_traces_all_over_a_matte_change_nothing_else(pairs, disc):
    traces = Image.effect_noise(SIZE, 90).point(lambda level: level % (INVISIBLE + 1))
    traced = ImageChops.add(disc, traces)
    picture = lay(pairs[0][0], pairs[0][1], disc)

    cutout = np.asarray(mended(picture, traced))

    untouched = (np.asarray(traced) <= INVISIBLE) | (np.asarray(traced) >= 255 - INVISIBLE)
    assert (cutout[untouched] == np.asarray(picture)[untouched]).all()
    rim = colour_error(floats(picture), floats(pairs[0][0]), floats(traced))
    assert colour_error(cutout / 255, floats(pairs[0][0]), floats(traced)) < rim * 2 / 3


def test_the_same_inputs_give_the_same_bytes(pairs, disc):
    picture = lay(pairs[1][0], pairs[1][1], disc)

    assert len({mended(picture, disc).tobytes() for _ in range(3)}) == 1


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2, 3), (321, 640), (643, 77)])
def test_any_size_keeps_its_size_and_its_opaque_pixels(size):
    picture, alpha = noise(size, 3), noise(size, 1)

    cutout = mended(picture, alpha)

    assert (cutout.size, cutout.mode) == (size, "RGB")
    pure = np.isin(np.asarray(alpha), (0, 255))
    assert (np.asarray(cutout)[pure] == np.asarray(picture)[pure]).all()


@pytest.mark.parametrize("level", [0, INVISIBLE, 255 - INVISIBLE, 255])
def test_a_matte_without_an_edge_changes_nothing(photos, level):
    for photo in photos:
        cutout = mended(photo, Image.new("L", photo.size, level))

        assert cutout.tobytes() == photo.tobytes()


def test_a_matte_of_black_and_white_alone_changes_nothing(photos, disc):
    photo = ImageOps.fit(photos[0], SIZE)

    cutout = mended(photo, disc.point(lambda level: 255 * (level > 127)))

    assert cutout.tobytes() == photo.tobytes()


@pytest.mark.parametrize("level", [1, 128, 254])
def test_a_flat_picture_under_a_flat_matte_stays_flat(level):
    picture = Image.new("RGB", (40, 30), (10, 200, 90))

    cutout = np.asarray(mended(picture, Image.new("L", (40, 30), level))).astype(int)

    assert np.abs(cutout - (10, 200, 90)).max() <= 1


def test_colours_spread_to_where_none_are_known():
    known = torch.zeros(1, 1, 37, 50)
    known[0, 0, 30, 4] = 1
    sums = known * torch.tensor([10.0, 20.0, 30.0]).view(1, 3, 1, 1)

    filled = spread(sums, known)

    expected = torch.tensor([10.0, 20.0, 30.0]).view(1, 3, 1, 1).expand(1, 3, 37, 50)
    torch.testing.assert_close(filled, expected)


def test_two_mixtures_tell_what_they_are_mixed_of():
    red, blue = torch.tensor([220.0, 10.0, 30.0]), torch.tensor([20.0, 40.0, 250.0])
    mixtures = torch.stack(
        [
            torch.cat([share * red + (1 - share) * blue, torch.tensor([share * 255])])
            for share in (0.9, 0.2)
        ]
    )

    pure = purify(mixtures.view(2, 4, 1, 1)).view(2, 3)

    torch.testing.assert_close(pure, torch.stack([red, blue]))


def test_a_right_guess_is_not_corrected():
    foreground, background = torch.tensor([200.0, 100.0, 0.0]), torch.tensor([0.0, 50.0, 255.0])
    seen = 0.3 * foreground + 0.7 * background

    torch.testing.assert_close(unmix(seen, torch.tensor(0.3), foreground, background), foreground)


def by_the_book(picture: Image.Image, alpha: Image.Image, cells: int = SIDE) -> Image.Image:
    """Return the colours of a cutout, calculated at every pixel as the module describes it."""
    colours, share = np.asarray(picture, float), np.asarray(alpha, float)
    height, width = share.shape
    cell = -(-height // cells), -(-width // cells)
    rows, columns = -(-height // cell[0]), -(-width // cell[1])
    beyond = (0, rows * cell[0] - height), (0, columns * cell[1] - width)
    mixtures = np.pad(np.dstack([colours, share]), (*beyond, (0, 0)), mode="edge")
    # (rows, columns, pixels of a cell, channels)
    mixtures = mixtures.reshape(rows, cell[0], columns, cell[1], 4).swapaxes(1, 2)
    mixtures = mixtures.reshape(rows, columns, -1, 4)
    lowest, highest = mixtures[..., 3].min(axis=2), mixtures[..., 3].max(axis=2)
    means = np.dstack([np.asarray(x.reduce(cell[::-1]), float) for x in (picture, alpha)])
    pure = (lowest >= 252), (highest <= 3)
    layers = []
    for one, other, shares, clearest in (
        (*pure, mixtures[..., 3] / share.max(), highest / share.max()),
        (*pure[::-1], (255 - mixtures[..., 3]) / (255 - share.min()), None),
    ):
        clearest = (255 - lowest) / (255 - share.min()) if clearest is None else clearest
        read = ~one & ~other & (clearest**20 > 1e-3)
        say = shares[..., None] ** 20 * read[..., None, None]
        known = one[..., None] + say.sum(axis=2)
        layers.append(pull_push(one[..., None] * means + (say * mixtures).sum(axis=2), known))
    alphas = [layer[..., 3:] / 255 for layer in layers]
    slope = (layers[0] - layers[1])[..., :3] / np.maximum(alphas[0] - alphas[1], 0.25)
    guesses = [
        enlarged(np.clip(layer[..., :3] + (wanted - own) * slope, 0, 255), cell, (height, width))
        for layer, own, wanted in zip(layers, alphas, (1, 0), strict=True)
    ]
    part = share[..., None] / 255
    unexplained = colours - part * guesses[0] - (1 - part) * guesses[1]
    gain = part / 2 / (part**2 / 2 + (1 - part) ** 2 + 0.01)
    own = np.clip(guesses[0] + gain * unexplained, 0, 255)
    in_edge = (share > 3) & (share < 252)
    return Image.fromarray(np.where(in_edge[..., None], own + 0.5, colours).astype(np.uint8))


@pytest.mark.parametrize(
    "size",
    # Cells of 2 x 1, 1 x 3 and 4 x 2 pixels, whole ones or not; the last picture takes several
    # bands.
    [(500, 317), (123, 700), (1030, 400)],
)
def test_each_pixel_is_what_the_description_makes_it(pairs, size):
    alpha = Image.new("L", size)
    draw = ImageDraw.Draw(alpha)
    draw.ellipse((size[0] * 0.2, size[1] * 0.1, size[0] * 0.7, size[1] * 0.95), fill=255)
    draw.line((0, size[1] * 0.9, size[0], size[1] * 0.2), fill=255, width=3)
    alpha = alpha.filter(ImageFilter.GaussianBlur(4))
    front, back = (ImageOps.fit(each, size) for each in pairs[1])
    picture = lay(front, back, alpha)

    ours = np.asarray(mended(picture, alpha), int)

    theirs = np.asarray(by_the_book(picture, alpha), int)
    assert np.abs(ours - theirs).max() <= 1
    assert (ours != theirs).mean() < 0.002
    assert (ours != np.asarray(picture)).any()


@pytest.mark.parametrize(
    ("size", "cells"),
    [
        *(((31, 23), 10), ((23, 31), 10), ((40, 9), 10), ((9, 41), 10), ((13, 12), 12)),
        *(((11, 11), 11), ((97, 1), 8), ((1, 97), 8)),
        # A cell of more pixels than are worked on at a time.
        ((300, 301), 1),
    ],
)
def test_noise_is_what_the_description_makes_it_whatever_the_cells(size, cells):
    picture = noise(size, 3)
    # A quarter is 0, a quarter is 255, and some is at the levels that count as these, or beside.
    levels = np.random.default_rng(1).integers(-128, 384, size[::-1]).clip(0, 255)
    beside = np.random.default_rng(2).choice([0, 3, 4, 251, 252, 255], size[::-1])
    rough = np.where(np.random.default_rng(3).random(size[::-1]) < 0.3, beside, levels)
    alpha = Image.fromarray(rough.astype(np.uint8))

    ours = np.asarray(decontaminate(picture, alpha, cells).convert("RGB"), int)

    theirs = np.asarray(by_the_book(picture, alpha, cells), int)
    assert np.abs(ours - theirs).max() <= 1
    assert (ours != theirs).mean() < 0.01


@pytest.mark.parametrize(("level", "mended"), [(3, False), (4, True), (251, True), (252, False)])
def test_the_edge_begins_beyond_what_is_invisible(level, mended):
    alpha = np.zeros((9, 9), np.uint8)
    alpha[:, 5:] = 255
    alpha[4, 4] = level
    picture = noise((9, 9), 3)

    # Cells of a pixel each, and of nine.
    for cells in (9, 3):
        cutout = decontaminate(picture, Image.fromarray(alpha), cells).convert("RGB")
        assert (cutout.getpixel((4, 4)) != picture.getpixel((4, 4))) == mended


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (37, 50), (64, 33)])
def test_colours_spread_as_by_pull_and_push(shape):
    random = np.random.default_rng(3)
    known = random.uniform(0, 3, (*shape, 1)) * (random.uniform(size=(*shape, 1)) < 0.2)
    known[0, 0] = 0.5
    sums = known * random.uniform(0, 255, (*shape, 3))

    filled = spread(
        *(torch.from_numpy(each).permute(2, 0, 1)[None].float() for each in (sums, known))
    )

    np.testing.assert_allclose(
        filled[0].permute(1, 2, 0).numpy(), pull_push(sums, known), rtol=1e-4, atol=1e-3
    )


def test_mixtures_that_hardly_differ_are_not_concluded_from():
    # Less than 1/4 apart, so that the difference counts as if it were 1/4: a slope of 40 / 0.25.
    mixtures = torch.tensor([[120.0, 120, 120, 0.6 * 255], [80.0, 80, 80, 0.5 * 255]])

    pure = purify(mixtures.view(2, 4, 1, 1)).view(2, 3)

    torch.testing.assert_close(pure, torch.tensor([[184.0] * 3, [0.0] * 3]))


@pytest.mark.parametrize("alpha", [0.02, 0.3, 0.5, 0.9, 1.0])
def test_a_guess_is_corrected_by_the_likeliest_explanation(alpha):
    # Least squares over F and B: what is seen, with a variance of 0.01, and both guesses, whose
    # variances are 1/2 and 1.
    foreground, background, seen = 120.0, 60.0, 110.0
    equations = np.array([[alpha, 1 - alpha], [1, 0], [0, 1]])
    weights = np.sqrt(1 / np.array([0.01, 0.5, 1]))
    values = np.array([seen, foreground, background])
    (expected, _), *_ = np.linalg.lstsq(equations * weights[:, None], values * weights)

    corrected = unmix(*map(torch.tensor, (seen, alpha, foreground, background)))

    assert corrected.item() == pytest.approx(expected, rel=1e-4)


def test_pure_colours_reach_black_and_white() -> None:
    # (2, 4, 1, 1): half white over black, and a quarter.
    mixtures = torch.tensor([[128.0, 128, 128, 127.5], [64, 64, 64, 63.75]]).view(2, 4, 1, 1)

    foreground, background = purify(mixtures)

    assert foreground.flatten().tolist() == [255, 255, 255]
    assert background.flatten().tolist() == pytest.approx([0, 0, 0], abs=0.5)


@pytest.mark.parametrize(
    ("seen", "foreground", "background", "expected"),
    [(0, 10, 200, 0), (255, 250, 0, 255)],
)
def test_a_corrected_colour_is_one(seen, foreground, background, expected):
    values = map(torch.tensor, (float(seen), 0.5, float(foreground), float(background)))

    assert unmix(*values).item() == expected
