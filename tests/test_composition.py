import numpy as np
import pytest
from PIL import Image

from composition import cut_out, flatten


def gradient(width: int, height: int) -> Image.Image:
    return Image.linear_gradient("L").resize((width, height))


def test_alpha_becomes_the_cutouts_alpha(photos: list[Image.Image]) -> None:
    alpha = gradient(*photos[0].size)

    cutout = cut_out(photos[0], alpha)

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

    cutout = cut_out(picture, Image.new("L", (2, 2), found))

    assert cutout.getpixel((0, 0)) == (10, 20, 30, expected)


def test_cutting_out_leaves_the_picture_alone() -> None:
    picture = Image.new("RGBA", (2, 2), (10, 20, 30, 255))

    cut_out(picture, Image.new("L", (2, 2), 0))

    assert picture.getpixel((0, 0)) == (10, 20, 30, 255)


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
