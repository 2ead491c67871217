import json

import pytest
from PIL import Image

from cutout_answer import check_size, error_answer, picture_answer
from cutout_errors import InvalidOption, NotAcceptable, ResponseTooLarge
from image_encoding import OutputFormat, encode

PLENTY = 10**6


@pytest.mark.parametrize("output_format", OutputFormat)
def test_a_picture_is_answered_as_it_is_encoded(output_format: OutputFormat) -> None:
    picture = Image.new("RGBA", (3, 2), (1, 2, 3, 4))

    answer = picture_answer(picture, output_format, PLENTY)

    assert answer.body == encode(picture, output_format)


@pytest.mark.parametrize("output_format", OutputFormat)
def test_a_picture_is_answered_with_its_media_type(output_format: OutputFormat) -> None:
    answer = picture_answer(Image.new("RGBA", (3, 2)), output_format, PLENTY)

    assert (answer.status, answer.phrase, answer.content_type) == (
        200,
        "OK",
        output_format.content_type,
    )


def test_the_head_tells_the_size_in_strings() -> None:
    answer = picture_answer(Image.new("RGBA", (3, 2)), OutputFormat.RGBA, PLENTY)

    assert answer.headers == {"X-Width": "3", "X-Height": "2"}


def test_the_raw_body_and_the_head_make_the_picture_again(photos: list[Image.Image]) -> None:
    cutout = photos[1].convert("RGBA")

    answer = picture_answer(cutout, OutputFormat.RGBA, 10**7)

    size = int(answer.headers["X-Width"]), int(answer.headers["X-Height"])
    assert Image.frombytes("RGBA", size, answer.body).tobytes() == cutout.tobytes()


@pytest.mark.parametrize("output_format", OutputFormat)
def test_an_answer_over_the_limit_is_refused(output_format: OutputFormat) -> None:
    picture = Image.new("RGBA", (3, 2))
    size = len(encode(picture, output_format))

    with pytest.raises(ResponseTooLarge):
        picture_answer(picture, output_format, size - 1)


def test_the_limit_itself_is_allowed() -> None:
    check_size(100, 100)


def test_an_error_is_answered_with_the_contracts_json() -> None:
    answer = error_answer(InvalidOption("format", "not 'gif'"))

    assert json.loads(answer.body) == {
        "errors": [{"title": "Invalid value", "code": "invalid_format", "detail": "not 'gif'"}]
    }


def test_the_head_of_an_error_tells_its_status() -> None:
    answer = error_answer(NotAcceptable("on offer: image/png"))

    assert (answer.status, answer.phrase, answer.content_type, dict(answer.headers)) == (
        406,
        "Not Acceptable",
        "application/json",
        {},
    )


def test_an_error_begins_with_a_brace() -> None:
    # How gRPC clients, who see no status, tell it from a picture.
    assert error_answer(NotAcceptable("no")).body[:1] == b"{"


def test_a_foreign_detail_does_not_break_the_json() -> None:
    detail = 'a "quoted" ✂ line\nand \x00'

    assert json.loads(error_answer(NotAcceptable(detail)).body)["errors"][0]["detail"] == detail
