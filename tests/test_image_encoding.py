from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from image_encoding import OutputFormat, clear_transparent, encode, raw_size


@pytest.fixture
def cutout(photos: list[Image.Image]) -> Image.Image:
    """A photo with every alpha from 0 to 255."""
    cutout = photos[1].convert("RGBA")
    cutout.putalpha(Image.linear_gradient("L").resize(cutout.size))
    return cutout


def decoded(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data), formats=["PNG"])


@pytest.mark.parametrize(
    ("output_format", "value", "content_type"),
    [
        (OutputFormat.RGBA, "rgba", "application/octet-stream"),
        (OutputFormat.PNG, "png", "image/png"),
    ],
)
def test_a_format_has_its_name_and_media_type(
    output_format: OutputFormat, value: str, content_type: str
) -> None:
    assert (output_format.value, output_format.content_type) == (value, content_type)


def test_every_format_has_a_media_type() -> None:
    assert all(output_format.content_type for output_format in OutputFormat)


def test_raw_is_the_pixels_row_by_row(cutout: Image.Image) -> None:
    assert encode(cutout, OutputFormat.RGBA) == cutout.tobytes()


def test_raw_has_four_bytes_for_each_pixel_also_of_an_opaque_picture() -> None:
    assert encode(Image.new("RGB", (2, 1), "red"), OutputFormat.RGBA) == b"\xff\x00\x00\xff" * 2


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (1, 4000)])
def test_the_raw_size_is_known_before_encoding(size: tuple[int, int]) -> None:
    picture = Image.new("RGBA", size)

    assert raw_size(picture) == len(encode(picture, OutputFormat.RGBA))


def test_png_equals_raw_wherever_something_is_seen(cutout: Image.Image) -> None:
    pixels = np.asarray(cutout)
    seen = pixels[..., 3] > 0

    png = np.asarray(decoded(encode(cutout, OutputFormat.PNG)))

    assert np.array_equal(png[seen], pixels[seen])


def test_png_is_black_and_transparent_where_nothing_is_seen(cutout: Image.Image) -> None:
    hidden = np.asarray(cutout)[..., 3] == 0

    png = np.asarray(decoded(encode(cutout, OutputFormat.PNG)))

    assert hidden.any()
    assert not png[hidden].any()


def test_png_keeps_an_opaque_picture_rgb(photos: list[Image.Image]) -> None:
    png = decoded(encode(photos[0], OutputFormat.PNG))

    assert (png.mode, png.tobytes()) == ("RGB", photos[0].tobytes())


def test_clearing_leaves_the_cutout_alone() -> None:
    cutout = Image.new("RGBA", (2, 2), (1, 2, 3, 0))

    clear_transparent(cutout)

    assert cutout.getpixel((0, 0)) == (1, 2, 3, 0)


def test_a_barely_visible_pixel_keeps_its_colour() -> None:
    cutout = Image.new("RGBA", (1, 1), (10, 20, 30, 1))

    assert clear_transparent(cutout).getpixel((0, 0)) == (10, 20, 30, 1)
