import json
from io import BytesIO

import pytest
from PIL import Image

from u2net_cutout.contract.errors import CutoutError, MissingSource
from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.photo import Photo, load_photo
from u2net_cutout.pipeline.response import Answer, error_answer
from u2net_cutout.pipeline.timing import StageTiming
from u2net_cutout.worker.request_report import RequestReport, payload_bytes

OK = Answer(b"12345", "image/png", output_format=OutputFormat.PNG)


def loaded(limits: Limits, file_format: str, timing: StageTiming) -> Photo:
    buffer = BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, file_format)
    headers = {"Accept": "image/png"}
    return load_photo({"image": buffer.getvalue()}, headers, limits, explain=False, timing=timing)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
def test_a_photo_is_told_by_its_files_format_and_its_size(limits: Limits, file_format: str) -> None:
    timing = StageTiming()

    report = RequestReport.of("id", {}, loaded(limits, file_format, timing), OK, timing)

    assert (report.photo_format, report.size) == (file_format, (30, 20))
    assert list(report.milliseconds) == ["decode"]


def test_a_refusal_has_neither() -> None:
    error: CutoutError = MissingSource("none")
    answer = error_answer(error)

    report = RequestReport.of("id", {"body": b""}, error, answer, StageTiming())

    assert (report.photo_format, report.size, report.output_format) == ("none", None, "none")
    assert (report.status, report.code, report.bytes_out) == (
        400,
        "missing_source",
        len(answer.body),
    )


def test_a_line_tells_all_of_it(limits: Limits) -> None:
    timing = StageTiming({"decode": 1.26})
    photo = loaded(limits, "PNG", StageTiming())

    told = json.loads(RequestReport.of("id", {"a": b"123"}, photo, OK, timing).line(model="u2net"))

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
