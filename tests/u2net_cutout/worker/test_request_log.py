import json
import re
from datetime import datetime, timedelta
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from u2net_cutout.contract.errors import CutoutError, MissingSource
from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.photo import Photo, load_photo
from u2net_cutout.pipeline.request import ReceivedRequest
from u2net_cutout.pipeline.response import Response, error_response
from u2net_cutout.pipeline.timing import StageTiming
from u2net_cutout.worker.request_log import (
    LONGEST_TRACEBACK,
    RequestReport,
    event,
    failure,
    payload_bytes,
)

# What TorchServe's frontend takes for its own, and what it takes for the end of a line.
FRONTENDS_WORDS = re.compile(r"^(INFO > )?\[METRICS]|\[PID\]\d+$|Torch worker started\.$")
HOSTILE = (
    *("a\n[PID]7", "[METRICS]x", "\r", "\x00\x1b[31m", "\u0085", "\u2028\u2029", "\ud800", "\x7f"),
)
OK = Response(b"12345", "image/png", output_format=OutputFormat.PNG)


@given(st.text() | st.sampled_from(HOSTILE))
def test_an_event_is_one_line_of_printable_ascii(text: str) -> None:
    line = event("request", id=text)

    assert re.fullmatch(r"[ -~]+", line)
    assert not FRONTENDS_WORDS.search(line)
    assert json.loads(line)["id"] == text


def test_an_event_begins_with_its_name_and_the_time() -> None:
    told = json.loads(event("request", status=200))

    assert list(told) == ["event", "time", "status"]
    assert datetime.fromisoformat(told["time"]).utcoffset() == timedelta(0)


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        event("request", ms=float("nan"))


def test_a_failure_tells_whose_it_is_and_where_it_happened() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        told = json.loads(failure(["id-1", "id-2"], error))

    assert (told["event"], told["ids"], told["error"]) == (
        "failure",
        ["id-1", "id-2"],
        "JSONDecodeError",
    )
    assert 'json.loads("{")' in told["traceback"]


def test_of_an_endless_traceback_the_end_is_kept() -> None:
    told = json.loads(failure(["id-1"], ValueError("x" * 10**6 + "the end")))

    assert len(told["traceback"]) == LONGEST_TRACEBACK
    assert told["traceback"].endswith("the end\n")


def loaded(limits: Limits, file_format: str) -> Photo:
    buffer = BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, file_format)
    headers = {"Accept": "image/png"}
    return load_photo({"image": buffer.getvalue()}, headers, limits, explain=False)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
def test_a_photo_is_told_by_its_files_format_and_its_size(limits: Limits, file_format: str) -> None:
    report = RequestReport.of("id", ReceivedRequest({}), loaded(limits, file_format), OK)

    assert (report.photo_format, report.size) == (file_format, (30, 20))


def test_a_refusal_has_neither() -> None:
    error: CutoutError = MissingSource("none")
    answer = error_response(error)

    report = RequestReport.of("id", ReceivedRequest({"body": b""}), error, answer)

    assert (report.photo_format, report.size, report.output_format) == ("none", None, "none")
    assert (report.status, report.code, report.bytes_out) == (
        400,
        "missing_source",
        len(answer.body),
    )


def test_a_line_tells_all_of_it(limits: Limits) -> None:
    received = ReceivedRequest({"a": b"123"}, timing=StageTiming({"decode": 1.26}))
    report = RequestReport.of("id", received, loaded(limits, "PNG"), OK)

    told = json.loads(report.line(model="u2net"))

    assert {**told, "time": ""} == {
        "event": "request",
        "time": "",
        "id": "id",
        "model": "u2net",
        "status": 200,
        "code": "ok",
        "bytes_in": 3,
        "photo": "PNG",
        "width": 30,
        "height": 20,
        "format": "png",
        "type": "image/png",
        "bytes_out": 5,
        "ms": {"decode": 1.3},
    }


@pytest.mark.parametrize(
    ("row", "count"),
    [
        ({}, 0),
        ({"body": bytearray(b"1234")}, 4),
        ({"body": "1234"}, 4),
        ({"image": b"1234", "format": b"png"}, 7),
        ({"body": {"image_file_b64": "1234", "crop": True, "x": None, "y": 7}}, 4),
        ({"body": ["12", ["34"]]}, 4),
        ({"body": 12}, 0),
    ],
)
def test_the_bytes_of_a_request_are_those_of_its_fields(row: object, count: int) -> None:
    assert payload_bytes(row) == count
