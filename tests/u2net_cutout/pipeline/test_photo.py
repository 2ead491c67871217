from io import BytesIO

import pytest
from PIL import Image

from u2net_cutout.contract.errors import (
    InvalidFileType,
    InvalidOption,
    MissingSource,
    NotAcceptable,
    ResponseTooLarge,
    UnreadableImage,
    UnsupportedParameter,
)
from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.photo import load_photo

HTTP = {"Host": "localhost"}


def encoded(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def png() -> bytes:
    return encoded(Image.new("RGBA", (30, 20), (1, 2, 3, 128)))


def test_a_photo_holds_the_decoded_picture(png: bytes, limits: Limits) -> None:
    photo = load_photo({"body": png}, HTTP, limits, explain=False)

    assert (photo.image.mode, photo.image.size) == ("RGBA", (30, 20))


@pytest.mark.parametrize(
    ("explain", "expected"), [(False, OutputFormat.RGBA), (True, OutputFormat.PNG)]
)
def test_a_cutout_is_raw_and_an_explanation_is_png_unless_asked_otherwise(
    png: bytes, limits: Limits, explain: bool, expected: OutputFormat
) -> None:
    photo = load_photo({"body": png}, HTTP, limits, explain=explain)

    assert (photo.request.output_format, photo.request.explain) == (expected, explain)


def test_an_explanation_as_raw_rgba_is_refused(png: bytes, limits: Limits) -> None:
    with pytest.raises(UnsupportedParameter):
        load_photo({"image_file": png, "format": b"rgba"}, HTTP, limits, explain=True)


def test_an_explanation_that_must_not_be_png_is_refused(png: bytes, limits: Limits) -> None:
    accept = {"Accept": "application/octet-stream"}

    with pytest.raises(NotAcceptable):
        load_photo({"body": png}, accept, limits, explain=True)


def just_below(raw_bytes: int) -> Limits:
    return Limits(max_file_bytes=10_000, max_pixels=10**6, max_response_bytes=raw_bytes - 1)


@pytest.mark.parametrize(("fields", "channels"), [({}, 4), ({"channels": b"alpha"}, 1)])
def test_a_raw_answer_over_the_limit_is_refused_before_the_network_runs(
    png: bytes, fields: dict[str, bytes], channels: int
) -> None:
    with pytest.raises(ResponseTooLarge):
        load_photo({"image": png, **fields}, HTTP, just_below(30 * 20 * channels), explain=False)


@pytest.mark.parametrize("fields", [{"format": b"png"}, {"crop": b"true"}, {"channels": b"alpha"}])
def test_an_answer_that_may_turn_out_smaller_than_raw_rgba_is_tried(
    png: bytes, fields: dict[str, bytes]
) -> None:
    photo = load_photo({"image": png, **fields}, HTTP, just_below(30 * 20 * 4), explain=False)

    assert photo.image.size == (30, 20)


def test_a_raw_answer_that_is_made_smaller_fits(limits: Limits) -> None:
    picture = encoded(Image.new("RGB", (1000, 600)))

    photo = load_photo(
        {"image": picture, "size": b"preview"}, HTTP, just_below(600_000 * 4), explain=False
    )

    assert photo.request.options.size == 250_000


def test_a_request_without_a_picture_is_refused(limits: Limits) -> None:
    with pytest.raises(MissingSource):
        load_photo({"body": b""}, HTTP, limits, explain=False)


def test_a_broken_picture_is_refused(png: bytes, limits: Limits) -> None:
    with pytest.raises(UnreadableImage):
        load_photo({"body": png[:50]}, HTTP, limits, explain=False)


def test_a_photo_holds_the_decoded_background(png: bytes, limits: Limits) -> None:
    background = encoded(Image.new("L", (5, 7), 90))

    photo = load_photo({"image": png, "bg_image_file": background}, HTTP, limits, explain=False)

    assert photo.background is not None
    assert (photo.background.mode, photo.background.size) == ("RGB", (5, 7))


@pytest.mark.parametrize("row", [{}, {"bg_image_file": b""}], ids=["none", "empty"])
def test_without_a_background_there_is_none(
    png: bytes, limits: Limits, row: dict[str, bytes]
) -> None:
    assert load_photo({"image": png, **row}, HTTP, limits, explain=False).background is None


def test_a_background_that_is_no_picture_is_refused(png: bytes, limits: Limits) -> None:
    with pytest.raises(InvalidFileType):
        load_photo({"image": png, "bg_image_file": b"text"}, HTTP, limits, explain=False)


@pytest.mark.parametrize(
    ("roi", "box"),
    [
        (b"0 0 100% 100%", (0, 0, 30, 20)),
        (b"50% 25% 100% 75%", (15, 5, 30, 15)),
        (b"1px 2px 3px 4px", (1, 2, 3, 4)),
        (b"10px 50% 900px 100%", (10, 10, 30, 20)),
    ],
)
def test_a_region_is_a_box_of_the_picture(
    png: bytes, limits: Limits, roi: bytes, box: tuple[int, int, int, int]
) -> None:
    photo = load_photo({"image": png, "roi": roi}, HTTP, limits, explain=False)

    assert photo.region == box


def test_without_a_region_there_is_none(png: bytes, limits: Limits) -> None:
    assert load_photo({"body": png}, HTTP, limits, explain=False).region is None


@pytest.mark.parametrize(
    "roi", [b"0 0 0 0", b"50% 0 50% 100%", b"20px 0 10px 20px", b"30px 0 40px 20px"]
)
def test_a_region_without_a_part_of_the_picture_is_refused(
    png: bytes, limits: Limits, roi: bytes
) -> None:
    with pytest.raises(InvalidOption) as caught:
        load_photo({"image": png, "roi": roi}, HTTP, limits, explain=False)

    assert caught.value.code == "invalid_roi"


@pytest.mark.parametrize(
    ("fields", "raw_bytes"),
    [
        ({}, 30 * 20 * 4),
        ({"channels": b"alpha"}, 30 * 20),
        # A quarter of a megapixel, and the picture has more.
        ({"image": encoded(Image.new("RGB", (1000, 600))), "size": b"preview"}, 250_000 * 4),
    ],
    ids=["colour", "alpha", "preview"],
)
def test_a_raw_answer_may_be_as_large_as_the_limit_itself(
    png: bytes, fields: dict[str, bytes], raw_bytes: int
) -> None:
    row = {"image": png, **fields}

    assert load_photo(row, HTTP, just_below(raw_bytes + 1), explain=False)
    with pytest.raises(ResponseTooLarge, match=f"have {raw_bytes} bytes"):
        load_photo(row, HTTP, just_below(raw_bytes), explain=False)


def test_a_region_may_be_a_single_pixel(png: bytes, limits: Limits) -> None:
    row = {"image": png, "roi": b"7px 8px 8px 9px"}

    assert load_photo(row, HTTP, limits, explain=False).region == (7, 8, 8, 9)
    for narrow in (b"7px 8px 7px 9px", b"7px 8px 8px 8px"):
        with pytest.raises(InvalidOption):
            load_photo({"image": png, "roi": narrow}, HTTP, limits, explain=False)
