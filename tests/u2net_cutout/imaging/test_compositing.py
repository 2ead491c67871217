import numpy as np
import pytest
from PIL import Image

from u2net_cutout.imaging.compositing import (
    clear_transparent,
    cover,
    cut_out,
    flatten,
    is_transparent,
    keep_inside,
    lay_on,
    multiply_own,
)


def gradient(width: int, height: int) -> Image.Image:
    return Image.linear_gradient("L").resize((width, height))


def test_alpha_becomes_the_cutouts_alpha(photos: list[Image.Image]) -> None:
    alpha = gradient(*photos[0].size)

    cutout = cut_out(photos[0].copy(), alpha)

    assert np.array_equal(np.asarray(cutout)[..., 3], np.asarray(alpha))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_are_untouched_even_where_nothing_is_seen(
    photos: list[Image.Image], mode: str
) -> None:
    picture = photos[0].convert(mode)

    cutout = cut_out(picture, Image.new("L", picture.size, 0))

    assert np.array_equal(np.asarray(cutout)[..., :3], np.asarray(photos[0]))


@pytest.mark.parametrize(
    ("own", "found", "expected"),
    [(255, 200, 200), (0, 255, 0), (200, 0, 0), (128, 128, 64), (255, 255, 255)],
)
def test_a_pictures_own_alpha_multiplies(own: int, found: int, expected: int) -> None:
    picture = Image.new("RGBA", (2, 2), (10, 20, 30, own))

    alpha = multiply_own(Image.new("L", (2, 2), found), picture)

    assert alpha.getextrema() == (expected, expected)


@pytest.mark.parametrize("mode", ["RGB", "YCbCr"])
def test_an_opaque_picture_multiplies_nothing(mode: str) -> None:
    alpha = Image.new("L", (2, 2), 77)

    assert multiply_own(alpha, Image.new(mode, (2, 2))) is alpha


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_picture_itself_becomes_the_cutout(mode: str) -> None:
    picture = Image.new(mode, (2, 2), (10, 20, 30))

    cutout = cut_out(picture, Image.new("L", (2, 2), 7))

    assert cutout is picture
    assert picture.getpixel((0, 0)) == (10, 20, 30, 7)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_cutout_is_rgba(mode: str) -> None:
    assert cut_out(Image.new(mode, (3, 2)), Image.new("L", (3, 2))).mode == "RGBA"


@pytest.mark.parametrize(
    ("alpha", "expected"), [(0, (255, 255, 255)), (255, (10, 20, 30)), (51, (206, 208, 210))]
)
def test_a_flattened_picture_lies_on_white(alpha: int, expected: tuple[int, int, int]) -> None:
    picture = Image.new("RGBA", (2, 2), (10, 20, 30, alpha))

    assert flatten(picture).getpixel((0, 0)) == expected


def test_an_opaque_picture_is_not_copied(photos: list[Image.Image]) -> None:
    assert flatten(photos[0]) is photos[0]


def test_a_flattened_picture_is_rgb() -> None:
    assert flatten(Image.new("RGBA", (2, 2))).mode == "RGB"


def test_clearing_leaves_the_cutout_alone() -> None:
    cutout = Image.new("RGBA", (2, 2), (1, 2, 3, 0))

    clear_transparent(cutout)

    assert cutout.getpixel((0, 0)) == (1, 2, 3, 0)


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [(0, (0, 0, 0, 0)), (1, (10, 20, 255, 1)), (255, (10, 20, 255, 255))],
)
def test_only_what_nobody_sees_is_cleared(alpha: int, expected: tuple[int, ...]) -> None:
    cutout = Image.new("RGBA", (1, 1), (10, 20, 255, alpha))

    assert clear_transparent(cutout).getpixel((0, 0)) == expected


def test_alpha_is_kept_inside_a_box_only(photos: list[Image.Image]) -> None:
    alpha = photos[0].convert("L")

    kept = np.asarray(keep_inside(alpha, (10, 20, 300, 40)))

    expected = np.zeros_like(kept)
    expected[20:40, 10:300] = np.asarray(alpha)[20:40, 10:300]
    assert np.array_equal(kept, expected)


def test_a_box_of_the_whole_picture_keeps_all_alpha(photos: list[Image.Image]) -> None:
    alpha = photos[0].convert("L")

    assert keep_inside(alpha, (0, 0, *alpha.size)).tobytes() == alpha.tobytes()


@pytest.mark.parametrize(
    ("cutout", "background", "expected"),
    [
        ((10, 20, 30, 255), (200, 200, 200, 255), (10, 20, 30, 255)),
        ((10, 20, 30, 0), (200, 210, 220, 255), (200, 210, 220, 255)),
        ((0, 0, 0, 51), (255, 255, 255, 255), (204, 204, 204, 255)),
        ((10, 20, 30, 0), (200, 210, 220, 100), (200, 210, 220, 100)),
        ((10, 20, 30, 255), (200, 210, 220, 0), (10, 20, 30, 255)),
        ((50, 50, 50, 128), (50, 50, 50, 128), (50, 50, 50, 192)),
    ],
    ids=["opaque", "transparent", "mixed", "on a veil", "on nothing", "two veils"],
)
def test_a_cutout_lies_on_a_background(
    cutout: tuple[int, ...], background: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    laid = lay_on(Image.new("RGBA", (2, 2), cutout), Image.new("RGBA", (2, 2), background))

    assert laid.getpixel((1, 1)) == expected


def stripes(size: tuple[int, int], *, across: bool) -> Image.Image:
    """Return thirds in red, green and blue, side by side or one above the other."""
    thirds = Image.new("RGB", (3, 1) if across else (1, 3))
    thirds.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255)])
    return thirds.resize(size, Image.Resampling.NEAREST)


@pytest.mark.parametrize(
    ("background", "size"),
    [
        (stripes((30, 10), across=True), (10, 10)),
        (stripes((300, 100), across=True), (10, 10)),
        (stripes((10, 30), across=False), (10, 10)),
        (stripes((3, 1), across=True), (40, 40)),
    ],
    ids=["wide", "wide and larger", "high", "wide and smaller"],
)
def test_a_background_covers_with_its_middle(
    background: Image.Image, size: tuple[int, int]
) -> None:
    covered = cover(background, size)

    assert (covered.mode, covered.size) == ("RGBA", size)
    red, green, blue, alpha = np.asarray(covered, np.int32).mean(axis=(0, 1))
    assert alpha == 255
    assert green > 5 * max(red, blue)


def test_a_background_of_the_right_size_stays_as_it_is(photos: list[Image.Image]) -> None:
    assert cover(photos[0], photos[0].size).tobytes() == photos[0].convert("RGBA").tobytes()


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (7, 5)])
@pytest.mark.parametrize("own", [(1, 1), (1, 4000), (4000, 1), (3, 2)])
def test_a_background_of_any_shape_covers_any_other(
    own: tuple[int, int], size: tuple[int, int]
) -> None:
    covered = cover(Image.new("RGB", own, "teal"), size)

    assert (covered.size, covered.getcolors()) == (size, [(size[0] * size[1], (0, 128, 128, 255))])


def test_a_transparent_background_does_not_bleed_its_hidden_colour() -> None:
    background = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    background.paste((0, 0, 255, 255), (0, 0, 10, 20))

    covered = np.asarray(cover(background, (50, 50)))

    assert covered[..., 0][covered[..., 3] > 0].max() == 0


@pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr"])
def test_without_alpha_nothing_is_transparent(mode: str) -> None:
    assert not is_transparent(Image.new(mode, (2, 2)))


@pytest.mark.parametrize("corner", [0, -1])
@pytest.mark.parametrize("size", [(2, 2), (3, 60_000), (100_000, 2), (5, 33)])
def test_one_pixel_makes_a_picture_transparent(size: tuple[int, int], corner: int) -> None:
    picture = Image.new("RGBA", size, "red")
    assert not is_transparent(picture)
    picture.putpixel((range(size[0])[corner], range(size[1])[corner]), (255, 0, 0, 254))

    assert is_transparent(picture)
