import zipfile
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from u2net_cutout.contract.formats import CONTENT_TYPES, OutputFormat
from u2net_cutout.imaging.compositing import flatten
from u2net_cutout.imaging.encoding import MAX_SIDE, encode, resolve


@pytest.fixture
def cutout(photos: list[Image.Image]) -> Image.Image:
    """A photo with every alpha from 0 to 255."""
    cutout = photos[1].convert("RGBA")
    cutout.putalpha(Image.linear_gradient("L").resize(cutout.size))
    return cutout


def decoded(data: bytes, kind: str = "PNG") -> Image.Image:
    return Image.open(BytesIO(data), formats=[kind])


def member(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(BytesIO(data)) as packed:
        return packed.read(name)


def distance(first: Image.Image, second: Image.Image) -> float:
    """Return the mean difference of two pictures' values."""
    values = np.asarray(first, np.int32) - np.asarray(second, np.int32)
    return float(np.abs(values).mean())


def test_raw_is_the_pixels_row_by_row(cutout: Image.Image) -> None:
    assert encode(cutout, OutputFormat.RGBA) == cutout.tobytes()


def test_raw_has_four_bytes_for_each_pixel_also_of_an_opaque_picture() -> None:
    assert encode(Image.new("RGB", (2, 1), "red"), OutputFormat.RGBA) == b"\xff\x00\x00\xff" * 2


@pytest.mark.parametrize("quality", [None, "lossless"])
@pytest.mark.parametrize("output_format", [OutputFormat.PNG, OutputFormat.WEBP])
def test_png_and_lossless_webp_equal_raw_wherever_something_is_seen(
    cutout: Image.Image, output_format: OutputFormat, quality: str | None
) -> None:
    pixels = np.asarray(cutout)
    seen = pixels[..., 3] > 0

    read = np.asarray(decoded(encode(cutout, output_format, quality), output_format.name))

    assert np.array_equal(read[..., 3], pixels[..., 3])
    assert np.array_equal(read[seen], pixels[seen])


@pytest.mark.parametrize("output_format", [OutputFormat.PNG, OutputFormat.WEBP])
def test_an_encoded_cutout_is_black_and_transparent_where_nothing_is_seen(
    cutout: Image.Image, output_format: OutputFormat
) -> None:
    hidden = np.asarray(cutout)[..., 3] == 0

    read = np.asarray(decoded(encode(cutout, output_format), output_format.name))

    assert hidden.any()
    assert not read[hidden].any()


def test_lossy_webp_keeps_alpha_and_is_like_the_cutout(cutout: Image.Image) -> None:
    encoded = encode(cutout, OutputFormat.WEBP, 80)

    read = decoded(encoded, "WEBP")
    assert read.getchannel("A").tobytes() == cutout.getchannel("A").tobytes()
    assert 0 < distance(flatten(read), flatten(cutout)) < 4
    assert len(encoded) < len(encode(cutout, OutputFormat.WEBP))


def test_a_jpeg_lies_on_white(cutout: Image.Image) -> None:
    read = decoded(encode(cutout, OutputFormat.JPG), "JPEG")

    assert (read.mode, read.size) == ("RGB", cutout.size)
    assert distance(read, flatten(cutout)) < 4


def test_a_zip_holds_the_subjects_colours_and_the_alpha(cutout: Image.Image) -> None:
    packed = encode(cutout, OutputFormat.ZIP)

    colour = decoded(member(packed, "color.jpg"), "JPEG")
    alpha = decoded(member(packed, "alpha.png"))
    assert distance(colour, cutout.convert("RGB")) < 4
    assert (alpha.mode, alpha.tobytes()) == ("L", cutout.getchannel("A").tobytes())


def test_what_is_hidden_does_not_stain_a_zips_edge() -> None:
    red = Image.new("RGBA", (64, 64), "black")
    red.paste((200, 40, 40, 255), (20, 20, 44, 44))
    alpha = Image.new("L", red.size)
    alpha.paste(255, (20, 20, 44, 44))
    red.putalpha(alpha)

    colour = decoded(member(encode(red, OutputFormat.ZIP), "color.jpg"), "JPEG")

    inside = np.asarray(colour, int)[20:44, 20:44]
    assert np.abs(inside - (200, 40, 40)).max() <= 4


def test_a_zip_holds_nothing_else_and_is_whole(cutout: Image.Image) -> None:
    with zipfile.ZipFile(BytesIO(encode(cutout, OutputFormat.ZIP))) as packed:
        assert packed.namelist() == ["color.jpg", "alpha.png"]
        assert packed.testzip() is None


@pytest.mark.parametrize("output_format", CONTENT_TYPES)
def test_the_same_cutout_gives_the_same_bytes(
    cutout: Image.Image, output_format: OutputFormat
) -> None:
    assert encode(cutout, output_format) == encode(cutout.copy(), output_format)


@pytest.mark.parametrize("output_format", [OutputFormat.JPG, OutputFormat.WEBP, OutputFormat.ZIP])
def test_more_quality_takes_more_bytes(cutout: Image.Image, output_format: OutputFormat) -> None:
    sizes = [len(encode(cutout, output_format, quality)) for quality in (1, 50, 90, 100)]

    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("output_format", [OutputFormat.JPG, OutputFormat.ZIP])
def test_jpeg_quality_is_90_by_default(cutout: Image.Image, output_format: OutputFormat) -> None:
    assert encode(cutout, output_format) == encode(cutout, output_format, 90)


def matte_of(data: bytes) -> npt.NDArray[np.uint8]:
    """Return the values of a matte that was written as a picture, whose channels are equal."""
    read = np.asarray(Image.open(BytesIO(data)).convert("RGB"))
    assert (read == read[..., :1]).all()
    return read[..., 0]


def test_a_raw_matte_has_a_byte_for_each_pixel(cutout: Image.Image) -> None:
    alpha = cutout.getchannel("A")

    assert encode(alpha, OutputFormat.RGBA) == alpha.tobytes()


@pytest.mark.parametrize("output_format", [OutputFormat.PNG, OutputFormat.WEBP])
def test_a_matte_is_grey_in_lossless_formats(
    cutout: Image.Image, output_format: OutputFormat
) -> None:
    alpha = cutout.getchannel("A")

    read = matte_of(encode(alpha, output_format))

    assert np.array_equal(read, np.asarray(alpha))


def test_a_matte_is_nearly_itself_as_jpeg(cutout: Image.Image) -> None:
    alpha = cutout.getchannel("A")

    read = decoded(encode(alpha, OutputFormat.JPG), "JPEG")

    assert read.mode == "L"
    assert distance(read, alpha) < 2


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("RGB", (3, 2)), OutputFormat.JPG),
        (Image.new("RGBA", (3, 2), (1, 2, 3, 255)), OutputFormat.JPG),
        (Image.new("RGBA", (3, 2), (1, 2, 3, 254)), OutputFormat.PNG),
        (Image.new("RGBA", (3, 2)), OutputFormat.PNG),
        (Image.new("L", (3, 2), 255), OutputFormat.PNG),
    ],
    ids=["RGB", "opaque", "a trace", "transparent", "matte"],
)
def test_auto_is_jpeg_where_nothing_is_transparent(
    picture: Image.Image, expected: OutputFormat
) -> None:
    assert resolve(OutputFormat.AUTO, picture) is expected


@pytest.mark.parametrize("output_format", CONTENT_TYPES)
def test_a_format_that_is_named_stays(output_format: OutputFormat) -> None:
    assert resolve(output_format, Image.new("RGB", (1, 1))) is output_format


def test_auto_itself_is_nothing_to_write() -> None:
    with pytest.raises(ValueError, match="auto"):
        encode(Image.new("RGB", (1, 1)), OutputFormat.AUTO)


@pytest.mark.parametrize("output_format", MAX_SIDE)
def test_the_longest_side_is_what_the_encoder_takes(output_format: OutputFormat) -> None:
    longest = MAX_SIDE[output_format]

    assert encode(Image.new("RGB", (longest, 1)), output_format)
    with pytest.raises((OSError, ValueError)):
        encode(Image.new("RGB", (longest + 1, 1)), output_format)


def test_png_keeps_an_opaque_picture_rgb(photos: list[Image.Image]) -> None:
    png = decoded(encode(photos[0], OutputFormat.PNG))

    assert (png.mode, png.tobytes()) == ("RGB", photos[0].tobytes())


def test_the_members_of_a_zip_are_stored_as_they_are_and_of_the_earliest_date() -> None:
    packed = encode(Image.new("RGBA", (4, 4), (200, 10, 20, 90)), OutputFormat.ZIP)

    with zipfile.ZipFile(BytesIO(packed)) as members:
        infos = members.infolist()
    assert [each.filename for each in infos] == ["color.jpg", "alpha.png"]
    # APPNOTE 4.4.6: a date is counted from 1980. JPEG and PNG are compressed already.
    assert {each.date_time for each in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {each.compress_type for each in infos} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("output_format", [OutputFormat.PNG, OutputFormat.WEBP])
def test_what_is_hidden_costs_a_lossy_or_lossless_file_nothing(
    photos: list[Image.Image], output_format: OutputFormat
) -> None:
    hidden, nothing = photos[1].convert("RGBA"), Image.new("RGBA", photos[1].size)
    hidden.putalpha(0)

    for quality in (None, 80):
        assert encode(hidden, output_format, quality) == encode(nothing, output_format, quality)


def test_webp_is_written_with_the_least_effort(photos: list[Image.Image]) -> None:
    for quality, options in ((None, {"lossless": True, "quality": 0}), (80, {"quality": 80})):
        buffer = BytesIO()
        photos[1].save(buffer, "WEBP", method=0, **options)

        assert encode(photos[1], OutputFormat.WEBP, quality) == buffer.getvalue()


def test_a_zips_colours_go_on_for_a_block_of_jpeg_and_no_further() -> None:
    # 32 and 64 are borders of blocks of 16 pixels, which JPEG encodes together.
    bar = Image.new("RGBA", (96, 32))
    bar.paste((200, 40, 40, 255), (32, 0, 48, 32))

    colour = decoded(member(encode(bar, OutputFormat.ZIP, 100), "color.jpg"), "JPEG")

    reds = np.asarray(colour, int)[16, :, 0]
    assert reds[[16, 63]].min() > 120
    assert reds[[15, 64]].max() < 60
