import base64
import json
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from u2net_cutout.contract.errors import InvalidOption, NotAcceptable, ResponseTooLarge
from u2net_cutout.contract.formats import CONTENT_TYPES, OutputFormat
from u2net_cutout.contract.options import CutoutOptions
from u2net_cutout.imaging.encoding import MAX_SIDE, encode
from u2net_cutout.pipeline.request import CutoutRequest
from u2net_cutout.pipeline.response import (
    CutoutStats,
    Response,
    as_response,
    error_response,
    picture_response,
)

PLENTY = 10**7
STATS = CutoutStats(subject=(1, 2, 11, 22), coverage=0.25, uncertainty=0.125)
NO_SUBJECT = CutoutStats(subject=None, coverage=0, uncertainty=0)


def asking_for(
    output_format: OutputFormat, *, in_json: bool = False, quality: int | None = None
) -> CutoutRequest:
    return CutoutRequest(
        picture=b"",
        background=None,
        options=CutoutOptions(quality=quality),
        output_format=output_format,
        in_json=in_json,
        explain=False,
    )


def answer_of(
    picture: Image.Image,
    output_format: OutputFormat,
    *,
    in_json: bool = False,
    stats: CutoutStats = STATS,
) -> Response:
    return picture_response(picture, stats, asking_for(output_format, in_json=in_json), PLENTY)


@pytest.mark.parametrize("output_format", CONTENT_TYPES)
def test_a_picture_is_answered_as_it_is_encoded(output_format: OutputFormat) -> None:
    picture = Image.new("RGBA", (3, 2), (1, 2, 3, 4))

    assert answer_of(picture, output_format).body == encode(picture, output_format)


@pytest.mark.parametrize("output_format", CONTENT_TYPES)
def test_a_picture_is_answered_with_its_media_type(output_format: OutputFormat) -> None:
    answer = answer_of(Image.new("RGBA", (3, 2)), output_format)

    assert (answer.status, answer.phrase, answer.content_type) == (
        200,
        "OK",
        CONTENT_TYPES[output_format],
    )


@pytest.mark.parametrize(
    ("picture", "content_type"),
    [
        (Image.new("RGBA", (3, 2), "red"), "image/jpeg"),
        (Image.new("RGBA", (3, 2)), "image/png"),
        (Image.new("L", (3, 2), 255), "image/png"),
    ],
    ids=["opaque", "transparent", "matte"],
)
def test_auto_is_answered_with_the_media_type_that_it_turned_out_to_be(
    picture: Image.Image, content_type: str
) -> None:
    answer = answer_of(picture, OutputFormat.AUTO)

    assert answer.content_type == content_type
    assert Image.open(BytesIO(answer.body)).get_format_mimetype() == content_type


def test_the_quality_is_the_requests(photos: list[Image.Image]) -> None:
    request = asking_for(OutputFormat.JPG, quality=20)

    answer = picture_response(photos[1], STATS, request, PLENTY)

    assert answer.body == encode(photos[1], OutputFormat.JPG, 20)


@pytest.mark.parametrize("in_json", [False, True])
def test_the_head_tells_the_size_and_the_subjects_box_in_strings(in_json: bool) -> None:
    answer = answer_of(Image.new("RGBA", (30, 40)), OutputFormat.PNG, in_json=in_json)

    assert answer.headers == {
        "X-Width": "30",
        "X-Height": "40",
        "X-Foreground-Top": "2",
        "X-Foreground-Left": "1",
        "X-Foreground-Width": "10",
        "X-Foreground-Height": "20",
    }


def test_without_a_subject_its_box_is_empty() -> None:
    answer = answer_of(Image.new("RGBA", (3, 2)), OutputFormat.PNG, stats=NO_SUBJECT)

    assert [answer.headers[f"X-Foreground-{name}"] for name in ("Width", "Height")] == ["0", "0"]


@pytest.mark.parametrize("output_format", CONTENT_TYPES)
def test_json_holds_the_picture_and_what_is_known_of_it(output_format: OutputFormat) -> None:
    picture = Image.new("RGBA", (30, 40), (1, 2, 3, 200))

    answer = answer_of(picture, output_format, in_json=True)

    assert (answer.status, answer.content_type) == (200, "application/json")
    assert json.loads(answer.body) == {
        "data": {
            "result_b64": base64.b64encode(encode(picture, output_format)).decode(),
            "content_type": CONTENT_TYPES[output_format],
            "width": 30,
            "height": 40,
            "foreground_top": 2,
            "foreground_left": 1,
            "foreground_width": 10,
            "foreground_height": 20,
            "coverage": 0.25,
            "uncertainty": 0.125,
        }
    }


def test_the_raw_body_and_the_head_make_the_picture_again(photos: list[Image.Image]) -> None:
    cutout = photos[1].convert("RGBA")

    answer = answer_of(cutout, OutputFormat.RGBA)

    size = int(answer.headers["X-Width"]), int(answer.headers["X-Height"])
    assert Image.frombytes("RGBA", size, answer.body).tobytes() == cutout.tobytes()


@pytest.mark.parametrize("in_json", [False, True])
@pytest.mark.parametrize("output_format", CONTENT_TYPES)
def test_an_answer_over_the_limit_is_refused(output_format: OutputFormat, in_json: bool) -> None:
    picture = Image.new("RGBA", (3, 2))
    request = asking_for(output_format, in_json=in_json)
    size = len(picture_response(picture, STATS, request, PLENTY).body)

    assert len(picture_response(picture, STATS, request, size).body) == size
    with pytest.raises(ResponseTooLarge):
        picture_response(picture, STATS, request, size - 1)


@pytest.mark.parametrize("size", [(1, 70_000), (70_000, 1)])
@pytest.mark.parametrize("output_format", [*MAX_SIDE, OutputFormat.AUTO])
def test_a_side_longer_than_the_format_can_hold_is_refused(
    output_format: OutputFormat, size: tuple[int, int]
) -> None:
    with pytest.raises(ResponseTooLarge):
        answer_of(Image.new("RGBA", size, "red"), output_format)


def test_an_error_is_answered_with_the_contracts_json() -> None:
    answer = error_response(InvalidOption("format", "not 'gif'"))

    assert json.loads(answer.body) == {
        "errors": [{"title": "Invalid value", "code": "invalid_format", "detail": "not 'gif'"}]
    }


def test_the_head_of_an_error_tells_its_status() -> None:
    answer = error_response(NotAcceptable("on offer: image/png"))

    assert (answer.status, answer.phrase, answer.content_type, dict(answer.headers)) == (
        406,
        "Not Acceptable",
        "application/json",
        {"X-Error-Code": "not_acceptable"},
    )


def test_an_error_begins_with_a_brace() -> None:
    # How gRPC clients, who see no status, tell it from a picture.
    assert error_response(NotAcceptable("no")).body[:1] == b"{"


def test_a_foreign_detail_does_not_break_the_json() -> None:
    detail = 'a "quoted" ✂ line\nand \x00'

    assert json.loads(error_response(NotAcceptable(detail)).body)["errors"][0]["detail"] == detail


@pytest.mark.parametrize("size", [1000, 1001, 50_000_000])
def test_a_foreign_detail_does_not_outgrow_what_torchserve_carries(size: int) -> None:
    answer = error_response(NotAcceptable("\x80" * size))

    assert json.loads(answer.body)["errors"][0]["detail"] == "\x80" * 1000


@pytest.mark.parametrize(
    "wrong",
    [
        {"body": "text"},
        {"body": bytearray(b"bytes")},
        {"body": None},
        {"status": "200"},
        {"status": True},
        {"status": -1},
        {"status": 99},
        {"status": 199},
        {"status": 600},
        {"phrase": "Not\r\nOK"},
        {"phrase": "Größe"},
        {"phrase": ""},
        {"phrase": None},
        {"content_type": "image/png\n"},
        {"content_type": "image/✂"},
        {"headers": {"X-Width": 7}},
        {"headers": {"X-Width": None}},
        {"headers": {"X-Width": "7\r\nSet-Cookie: a=b"}},
        {"headers": {"X-Width": "\x00"}},
        {"headers": {"X-Width": "\x0b"}},
        {"headers": {"X-Width": "\x7f"}},
        {"headers": {"X Width": "7"}},
        {"headers": {"X-Width\n": "7"}},
        {"headers": {"": "7"}},
    ],
    ids=str,
)
def test_an_answer_that_torchserve_could_not_carry_can_not_be_made(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"body": b"bytes", "content_type": "image/png"}
    Response(**right)

    with pytest.raises((TypeError, ValueError)):
        Response(**{**right, **wrong})


def test_a_header_can_not_be_added_that_could_not_be_carried() -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        Response(b"bytes", "image/png").with_header("Server-Timing", "decode;dur=1\n")


def test_a_response_without_an_error_is_ok_by_the_word_that_the_log_documents() -> None:
    assert Response(b"", "image/png").code == "ok"


def test_shares_are_rounded_to_six_places_and_what_is_not_known_is_null() -> None:
    picture, request = Image.new("RGBA", (3, 2)), asking_for(OutputFormat.PNG, in_json=True)

    data = [
        json.loads(picture_response(picture, stats, request, PLENTY).body)["data"]
        for stats in (CutoutStats(None, 1 / 3, 2 / 3), CutoutStats(None, 1 / 3))
    ]

    assert [each["coverage"] for each in data] == [0.333333, 0.333333]
    assert [each["uncertainty"] for each in data] == [0.666667, None]


@pytest.mark.parametrize("output_format", MAX_SIDE)
def test_a_side_may_be_as_long_as_the_format_can_hold(output_format: OutputFormat) -> None:
    longest = MAX_SIDE[output_format]

    assert answer_of(Image.new("RGB", (longest, 1)), output_format).body
    with pytest.raises(ResponseTooLarge, match=f"more than {longest} pixels"):
        answer_of(Image.new("RGB", (1, longest + 1)), output_format)


@pytest.mark.parametrize(
    ("status", "failed"), [(200, False), (399, False), (400, True), (599, True)]
)
def test_a_response_has_failed_from_400_on(status: int, failed: bool) -> None:
    assert Response(b"", "image/png", status).failed == failed


def test_an_outcome_is_its_own_response_or_its_errors() -> None:
    response, error = Response(b"bytes", "image/png"), NotAcceptable("no")

    assert as_response(response) is response
    assert as_response(error) == error_response(error)
