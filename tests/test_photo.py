from io import BytesIO

import pytest
from PIL import Image

from cutout_errors import (
    InvalidOption,
    MissingSource,
    NotAcceptable,
    ResponseTooLarge,
    UnreadableImage,
)
from cutout_limits import Limits
from image_encoding import OutputFormat
from photo import load_photo

HTTP = {"Host": "localhost"}


@pytest.fixture(scope="module")
def png() -> bytes:
    buffer = BytesIO()
    Image.new("RGBA", (30, 20), (1, 2, 3, 128)).save(buffer, "PNG")
    return buffer.getvalue()


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

    assert (photo.output_format, photo.explain) == (expected, explain)


def test_an_explanation_as_raw_rgba_is_refused(png: bytes, limits: Limits) -> None:
    with pytest.raises(InvalidOption):
        load_photo({"image_file": png, "format": b"rgba"}, HTTP, limits, explain=True)


def test_an_explanation_that_must_not_be_png_is_refused(png: bytes, limits: Limits) -> None:
    accept = {"Accept": "application/octet-stream"}

    with pytest.raises(NotAcceptable):
        load_photo({"body": png}, accept, limits, explain=True)


def test_a_raw_answer_over_the_limit_is_refused_before_the_network_runs(png: bytes) -> None:
    tight = Limits(max_file_bytes=10_000, max_pixels=600, max_response_bytes=30 * 20 * 4 - 1)

    with pytest.raises(ResponseTooLarge):
        load_photo({"body": png}, HTTP, tight, explain=False)


def test_a_png_answer_may_turn_out_smaller_than_raw(png: bytes) -> None:
    tight = Limits(max_file_bytes=10_000, max_pixels=600, max_response_bytes=30 * 20 * 4 - 1)

    photo = load_photo({"body": png}, {"Accept": "image/png"}, tight, explain=False)

    assert photo.output_format is OutputFormat.PNG


def test_a_request_without_a_picture_is_refused(limits: Limits) -> None:
    with pytest.raises(MissingSource):
        load_photo({"body": b""}, HTTP, limits, explain=False)


def test_a_broken_picture_is_refused(png: bytes, limits: Limits) -> None:
    with pytest.raises(UnreadableImage):
        load_photo({"body": png[:50]}, HTTP, limits, explain=False)
