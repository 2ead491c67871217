import base64
from collections.abc import Mapping

import pytest

from cutout_errors import (
    CutoutError,
    InvalidBase64,
    InvalidJson,
    InvalidOption,
    MissingSource,
    MultipleSources,
    NotAcceptable,
    UnknownParameter,
    UnsupportedParameter,
    UrlSourcesDisabled,
)
from cutout_request import PICTURE_FIELDS, decode_base64, read_request
from image_encoding import OutputFormat

# Whatever it is, reading a request does not look inside.
PICTURE = b"\xff\xd8\xff picture"
TEXT = base64.b64encode(PICTURE).decode()
HTTP = {"Host": "localhost"}
FORMATS = (OutputFormat.RGBA, OutputFormat.PNG)


def picture_of(row: Mapping[str, object], headers: Mapping[str, object] = HTTP) -> bytes:
    return bytes(read_request(row, headers, FORMATS).picture)


def format_of(row: Mapping[str, object], headers: Mapping[str, object] = HTTP) -> OutputFormat:
    return read_request(row, headers, FORMATS).output_format


def refusal_of(row: Mapping[str, object], headers: Mapping[str, object] = HTTP) -> CutoutError:
    with pytest.raises(CutoutError) as caught:
        read_request(row, headers, FORMATS)
    return caught.value


@pytest.mark.parametrize(
    "row",
    [
        {"body": bytearray(PICTURE)},
        {"body": PICTURE},
        {"body": {"image_file_b64": TEXT}},
        {"body": {"data": TEXT}},
        {"body": {"data": f"data:image/jpeg;base64,{TEXT}"}},
        {"body": TEXT},
        {"body": f"data:image/jpeg;base64,{TEXT}"},
        {"body": f"data:image/jpeg;name=a.jpg;base64,{TEXT}"},
        {"body": f"{TEXT[:5]}\r\n{TEXT[5:]}\n"},
        {"image_file": bytearray(PICTURE)},
        {"data": bytearray(PICTURE)},
        {"image": bytearray(PICTURE)},
        {"file": bytearray(PICTURE)},
        {"image_file_b64": bytearray(TEXT.encode())},
        # A file part of type text/plain.
        {"image_file": TEXT},
        {"image_file": bytearray(PICTURE), "data": bytearray()},
    ],
    ids=[
        "raw body",
        "bytes",
        "JSON image_file_b64",
        "JSON data",
        "JSON data URL",
        "JSON string or text",
        "data URL",
        "data URL with a parameter",
        "broken into lines",
        "field image_file",
        "field data",
        "field image",
        "field file",
        "field image_file_b64",
        "text part",
        "empty field beside it",
    ],
)
def test_the_picture_arrives_through_every_channel(row: Mapping[str, object]) -> None:
    assert picture_of(row) == PICTURE


@pytest.mark.parametrize("name", PICTURE_FIELDS[:4])
def test_a_form_field_is_not_taken_for_base64(name: str) -> None:
    assert picture_of({name: TEXT.encode()}) == TEXT.encode()


@pytest.mark.parametrize(
    ("row", "kind", "code"),
    [
        ({}, MissingSource, "missing_source"),
        ({"body": bytearray()}, MissingSource, "missing_source"),
        ({"body": ""}, MissingSource, "missing_source"),
        ({"body": {}}, MissingSource, "missing_source"),
        ({"body": {"image_file_b64": ""}}, MissingSource, "missing_source"),
        ({"body": {"image_file_b64": "data:;base64,"}}, MissingSource, "missing_source"),
        ({"body": " \n"}, MissingSource, "missing_source"),
        ({"image_file": bytearray()}, MissingSource, "missing_source"),
        ({"format": bytearray(b"png")}, MissingSource, "missing_source"),
        ({"image_file": PICTURE, "data": PICTURE}, MultipleSources, "multiple_sources"),
        ({"body": {"image_file_b64": TEXT, "data": TEXT}}, MultipleSources, "multiple_sources"),
        ({"body": PICTURE, "image": PICTURE}, MultipleSources, "multiple_sources"),
        ({"image_url": b"http://a/b"}, UrlSourcesDisabled, "url_sources_disabled"),
        ({"body": {"image_url": "http://a/b"}}, UrlSourcesDisabled, "url_sources_disabled"),
        (
            {"image_file": PICTURE, "bg_image_url": b"http://a/b"},
            UrlSourcesDisabled,
            "url_sources_disabled",
        ),
        ({"body": "not base64!"}, InvalidBase64, "invalid_base64"),
        ({"body": f"{TEXT[:4]}!{TEXT[4:]}"}, InvalidBase64, "invalid_base64"),
        ({"body": TEXT[:-1]}, InvalidBase64, "invalid_base64"),
        ({"body": "é"}, InvalidBase64, "invalid_base64"),
        ({"body": "data:image/jpeg,abc"}, InvalidBase64, "invalid_base64"),
        ({"body": {"image_file_b64": 5}}, InvalidBase64, "invalid_base64"),
        ({"body": {"data": [TEXT]}}, InvalidBase64, "invalid_base64"),
        ({"image_file_b64": b"\xff\xfe"}, InvalidBase64, "invalid_base64"),
        # A file part of type application/json.
        ({"image_file": {"a": 1}}, InvalidBase64, "invalid_base64"),
        ({"body": [TEXT]}, InvalidJson, "invalid_json"),
        ({"body": None}, InvalidJson, "invalid_json"),
        ({"body": 5}, InvalidJson, "invalid_json"),
        ({"body": True}, InvalidJson, "invalid_json"),
        ({"image_file": PICTURE, "colour": b"red"}, UnknownParameter, "unknown_parameter"),
        ({"image_file": PICTURE, "Format": b"png"}, UnknownParameter, "unknown_parameter"),
        ({"body": {"data": TEXT, "": 1}}, UnknownParameter, "unknown_parameter"),
        ({"image_file": PICTURE, "format": b"gif"}, InvalidOption, "invalid_format"),
        ({"image_file": PICTURE, "format": b""}, InvalidOption, "invalid_format"),
        ({"image_file": PICTURE, "format": b"\xff"}, InvalidOption, "invalid_format"),
        ({"body": {"data": TEXT, "format": None}}, InvalidOption, "invalid_format"),
        ({"body": {"data": TEXT, "format": ["png"]}}, InvalidOption, "invalid_format"),
        ({"image_file": PICTURE, "crop": b"\xff"}, InvalidOption, "invalid_crop"),
        ({"body": {"data": TEXT, "crop": {}}}, InvalidOption, "invalid_crop"),
    ],
)
def test_what_can_not_be_done_is_refused(
    row: Mapping[str, object], kind: type[CutoutError], code: str
) -> None:
    refusal = refusal_of(row)

    assert (type(refusal), refusal.code) == (kind, code)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_json_that_torchserve_could_not_parse_is_refused(content_type: str) -> None:
    refusal = refusal_of({"body": bytearray(b"{")}, {"CONTENT-type": content_type})

    assert type(refusal) is InvalidJson


def test_an_empty_json_body_holds_no_picture() -> None:
    refusal = refusal_of({"body": bytearray()}, {"Content-Type": "application/json"})

    assert type(refusal) is MissingSource


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("add_shadow", "true"),
        ("bg_color", "red"),
        ("bg_image_file", "picture"),
        ("channels", "alpha"),
        ("crop", "true"),
        ("crop_margin", "10px"),
        ("edges", "refined"),
        ("position", "center"),
        ("quality", "90"),
        ("roi", "0 0 10 10"),
        ("scale", "50%"),
        ("semitransparency", "false"),
        ("shadow_opacity", "50"),
        ("shadow_type", "drop"),
        ("size", "preview"),
        ("type", "person"),
        ("type_level", "1"),
        ("size", ""),
    ],
)
def test_a_known_option_that_is_not_offered_is_unsupported(name: str, value: str) -> None:
    refusal = refusal_of({"image_file": PICTURE, name: bytearray(value.encode())})

    assert (type(refusal), refusal.code) == (UnsupportedParameter, "unsupported_parameter")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("add_shadow", "false"),
        ("channels", "rgba"),
        ("crop", "false"),
        ("edges", "plain"),
        ("position", "original"),
        ("scale", "original"),
        ("semitransparency", "true"),
        ("size", "auto"),
        ("size", "full"),
        ("type", "auto"),
    ],
)
def test_an_option_that_asks_for_nothing_is_accepted(name: str, value: str) -> None:
    assert picture_of({"image_file": PICTURE, name: bytearray(value.encode())}) == PICTURE


@pytest.mark.parametrize(
    ("name", "value"), [("crop", False), ("add_shadow", False), ("semitransparency", True)]
)
def test_json_has_booleans_of_its_own(name: str, value: bool) -> None:
    assert picture_of({"body": {"data": TEXT, name: value}}) == PICTURE


@pytest.mark.parametrize(("name", "value"), [("crop", True), ("quality", 90), ("roi", 0.5)])
def test_json_values_of_other_types_are_read_as_text(name: str, value: object) -> None:
    assert type(refusal_of({"body": {"data": TEXT, name: value}})) is UnsupportedParameter


def test_a_long_foreign_name_is_not_echoed_in_full() -> None:
    refusal = refusal_of({"image_file": PICTURE, "x" * 10_000: b""})

    assert len(refusal.detail) < 100


@pytest.mark.parametrize(
    ("row", "headers", "expected"),
    [
        ({"body": PICTURE}, HTTP, OutputFormat.RGBA),
        ({"body": PICTURE}, {"Accept": "*/*"}, OutputFormat.RGBA),
        ({"body": PICTURE}, {"Accept": "image/png"}, OutputFormat.PNG),
        ({"body": PICTURE}, {"accept": "image/png"}, OutputFormat.PNG),
        ({"body": PICTURE}, {"ACCEPT": "image/png"}, OutputFormat.PNG),
        ({"body": PICTURE}, {"Accept": "application/octet-stream"}, OutputFormat.RGBA),
        ({"image": PICTURE, "format": bytearray(b"png")}, HTTP, OutputFormat.PNG),
        ({"body": {"data": TEXT, "format": "png"}}, HTTP, OutputFormat.PNG),
        ({"image": PICTURE, "format": b"rgba"}, {"Accept": "image/png"}, OutputFormat.RGBA),
        ({"image": PICTURE, "format": b"png"}, {"Accept": "text/html"}, OutputFormat.PNG),
        ({"body": {"data": TEXT}}, {"Accept": "image/*"}, OutputFormat.PNG),
    ],
)
def test_a_field_goes_before_accept_and_accept_before_the_default(
    row: Mapping[str, object], headers: Mapping[str, object], expected: OutputFormat
) -> None:
    assert format_of(row, headers) is expected


def test_what_can_not_be_accepted_is_not_made() -> None:
    refusal = refusal_of({"body": PICTURE}, {"Accept": "image/webp"})

    assert (type(refusal), refusal.code) == (NotAcceptable, "not_acceptable")


# What TorchServe hands over as the headers of a gRPC request, depending on how one asks it.
@pytest.mark.parametrize("headers", [{}, {"image_file": {"content-type": ""}}])
def test_without_headers_as_over_grpc_png_is_the_default(headers: Mapping[str, object]) -> None:
    assert format_of({"image_file": bytearray(PICTURE)}, headers) is OutputFormat.PNG


def test_without_headers_raw_can_be_asked_for() -> None:
    row = {"image_file": bytearray(PICTURE), "format": bytearray(b"rgba")}

    assert format_of(row, {}) is OutputFormat.RGBA


def test_over_grpc_the_picture_may_be_called_body() -> None:
    assert picture_of({"body": bytearray(PICTURE), "format": bytearray(b"png")}, {}) == PICTURE


def test_a_field_named_as_a_header_is_not_taken_for_it() -> None:
    row = {"image_file": PICTURE, "accept": b"image/png"}

    refusal = refusal_of(row, HTTP | {"accept": {"content-type": ""}})

    assert type(refusal) is UnknownParameter


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_base64_of_any_length_is_decoded(count: int) -> None:
    assert decode_base64(base64.b64encode(b"x" * count).decode()) == b"x" * count
