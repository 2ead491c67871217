import base64
from collections.abc import Mapping
from dataclasses import replace

import pytest

from u2net_cutout.contract.errors import (
    CompressedBody,
    CutoutError,
    FieldTooLong,
    InvalidBase64,
    InvalidForm,
    InvalidJson,
    InvalidOption,
    MissingSource,
    MultipleBackgrounds,
    MultipleSources,
    TooManyFields,
    UnknownParameter,
    UnsupportedParameter,
    UrlSourcesDisabled,
)
from u2net_cutout.contract.formats import JSON_TYPE, OutputFormat
from u2net_cutout.contract.limits import Limits
from u2net_cutout.contract.options import Channels, CutoutOptions
from u2net_cutout.pipeline.request import PICTURE_FIELDS, CutoutRequest, read_request

# Whatever it is, reading a request does not look inside.
PICTURE = b"\xff\xd8\xff picture"
TEXT = base64.b64encode(PICTURE).decode()
HTTP = {"Host": "localhost"}
LIMITS = Limits(max_file_bytes=10**6, max_pixels=10**6, max_response_bytes=10**6)
BACKGROUND = b"\x89PNG background"


def request_of(
    row: Mapping[str, object], headers: Mapping[str, object] = HTTP, *, explain: bool = False
) -> CutoutRequest:
    return read_request(row, headers, LIMITS, explain=explain)


def picture_of(row: Mapping[str, object], headers: Mapping[str, object] = HTTP) -> bytes:
    return bytes(request_of(row, headers).picture)


def format_of(row: Mapping[str, object], headers: Mapping[str, object] = HTTP) -> OutputFormat:
    return request_of(row, headers).output_format


def refusal_of(
    row: Mapping[str, object], headers: Mapping[str, object] = HTTP, *, explain: bool = False
) -> CutoutError:
    with pytest.raises(CutoutError) as caught:
        request_of(row, headers, explain=explain)
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
        {"image_file_b64": b"\xef\xbb\xbf" + TEXT.encode()},
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
        "after a byte order mark",
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
        ({"body": "é"}, InvalidBase64, "invalid_base64"),
        ({"body": "data:image/jpeg,abc"}, InvalidBase64, "invalid_base64"),
        ({"body": {"image_file_b64": 5}}, InvalidBase64, "invalid_base64"),
        ({"body": {"data": [TEXT]}}, InvalidBase64, "invalid_base64"),
        ({"image_file_b64": b"\xff\xfe"}, InvalidBase64, "invalid_base64"),
        # A file part of type application/json.
        ({"image_file": {"a": 1}}, InvalidBase64, "invalid_base64"),
        ({"body": [TEXT]}, InvalidJson, "invalid_json"),
        ({"image_file": PICTURE, "colour": b"red"}, UnknownParameter, "unknown_parameter"),
        ({"image_file": PICTURE, "Format": b"png"}, UnknownParameter, "unknown_parameter"),
        ({"body": bytearray(b"x"), "colour": b"red"}, UnknownParameter, "unknown_parameter"),
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


@pytest.mark.parametrize("name", ["type_level", "shadow_type"])
def test_a_known_option_that_is_not_offered_is_unsupported(name: str) -> None:
    refusal = refusal_of({"image_file": PICTURE, name: bytearray(b"1")})

    assert (type(refusal), refusal.code) == (UnsupportedParameter, "unsupported_parameter")


@pytest.mark.parametrize(
    "row",
    [
        {"image_file": PICTURE, "crop": bytearray(b"true"), "channels": b"alpha"},
        {"body": {"data": TEXT, "crop": True, "channels": "alpha"}},
        {"body": bytearray(PICTURE), "crop": b"true", "channels": b"alpha"},
    ],
    ids=["form", "JSON", "beside the body"],
)
def test_options_arrive_through_every_channel(row: Mapping[str, object]) -> None:
    assert request_of(row).options == CutoutOptions(channels=Channels.ALPHA, crop=True)


def test_without_options_all_have_their_defaults() -> None:
    asked = request_of({"body": PICTURE})

    assert asked == CutoutRequest(
        picture=PICTURE,
        background=None,
        options=CutoutOptions(),
        output_format=OutputFormat.RGBA,
        in_json=False,
        explain=False,
    )


@pytest.mark.parametrize(
    "row",
    [
        {"image_file": PICTURE, "bg_image_file": bytearray(BACKGROUND)},
        {"image_file": PICTURE, "bg_image_file": base64.b64encode(BACKGROUND).decode()},
        {"body": {"data": TEXT, "bg_image_file": base64.b64encode(BACKGROUND).decode()}},
    ],
    ids=["file part", "text part", "JSON"],
)
def test_a_background_arrives_through_every_channel(row: Mapping[str, object]) -> None:
    assert request_of(row).background == BACKGROUND


@pytest.mark.parametrize("empty", [b"", "", None])
def test_an_empty_background_is_none(empty: object) -> None:
    assert request_of({"image_file": PICTURE, "bg_image_file": empty}).background is None


@pytest.mark.parametrize(
    ("options", "kind", "code"),
    [
        ({"bg_color": b"red"}, MultipleBackgrounds, "multiple_bg_sources"),
        ({"channels": b"alpha"}, InvalidOption, "invalid_channels"),
    ],
)
def test_a_background_that_contradicts_an_option_is_refused(
    options: Mapping[str, object], kind: type[CutoutError], code: str
) -> None:
    refusal = refusal_of({"image_file": PICTURE, "bg_image_file": BACKGROUND, **options})

    assert (type(refusal), refusal.code) == (kind, code)


def test_a_background_alone_is_no_picture() -> None:
    assert type(refusal_of({"bg_image_file": BACKGROUND})) is MissingSource


def test_a_background_that_is_no_base64_is_refused() -> None:
    row = {"body": {"data": TEXT, "bg_image_file": "?"}}

    assert refusal_of(row).code == "invalid_base64"


def test_a_long_foreign_name_is_not_echoed_in_full() -> None:
    refusal = refusal_of({"image_file": PICTURE, "x" * 10_000: b""})

    assert type(refusal) is UnknownParameter
    assert len(refusal.detail) < 300


@pytest.mark.parametrize("size", [1, LIMITS.max_field_bytes + 1, 10**6])
@pytest.mark.parametrize("name", ["photo", "image_file[]", "Image_File", "image_base64", "files"])
def test_a_picture_under_another_name_is_told_the_names_whatever_its_size(
    name: str, size: int
) -> None:
    for row in ({name: b"x" * size}, {"body": {name: "QUFB" * size}}):
        refusal = refusal_of(row)

        assert type(refusal) is UnknownParameter
        for known in (repr(name), *PICTURE_FIELDS, "bg_image_file", "format", "bg_color"):
            assert known in refusal.detail


@pytest.mark.parametrize(
    ("row", "empty"),
    [
        ({"body": bytearray()}, "body is empty"),
        ({"image_file": bytearray()}, "image_file is empty"),
        ({"image": b"", "format": b"png"}, "image is empty"),
        ({"body": {"image_file_b64": ""}}, "image_file_b64 is empty"),
        ({"body": {"data": None}}, "data is empty"),
    ],
)
def test_an_empty_file_is_called_empty(row: Mapping[str, object], empty: str) -> None:
    refusal = refusal_of(row)

    assert type(refusal) is MissingSource
    assert empty in refusal.detail


@pytest.mark.parametrize("row", [{}, {"format": b"png"}, {"bg_image_file": b""}])
def test_no_file_is_not_called_empty(row: Mapping[str, object]) -> None:
    refusal = refusal_of(row)

    assert type(refusal) is MissingSource
    assert "empty" not in refusal.detail


@pytest.mark.parametrize("name", PICTURE_FIELDS[1:])
def test_an_empty_field_costs_no_picture_beside_it(name: str) -> None:
    assert picture_of({"image_file": PICTURE, name: b"", "bg_image_file": b""}) == PICTURE


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate, gzip", "br", "zstd"])
@pytest.mark.parametrize("row", [{"body": PICTURE}, {}, {"image": PICTURE}])
def test_a_compressed_body_is_refused_by_name(row: Mapping[str, object], coding: str) -> None:
    refusal = refusal_of(row, {**HTTP, "Content-Encoding": coding})

    assert (type(refusal), refusal.status) == (CompressedBody, 415)
    assert "Content-Encoding" in refusal.detail


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_identity_is_no_compression(coding: str) -> None:
    assert picture_of({"body": PICTURE}, {"content-ENCODING": coding}) == PICTURE


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


@pytest.mark.parametrize("row", [{}, {"format": "png"}, {"type": "auto"}, {"crop": "false"}])
def test_an_explanation_may_be_asked_for_with_what_asks_for_nothing(
    row: Mapping[str, object],
) -> None:
    asked = request_of({"image": PICTURE, **row}, explain=True)

    assert (asked.output_format, asked.explain) == (OutputFormat.PNG, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "rgba"),
        ("format", "webp"),
        ("quality", "90"),
        ("channels", "alpha"),
        ("size", "preview"),
        ("crop", "true"),
        ("scale", "50%"),
        ("position", "center"),
        ("roi", "0 0 50% 50%"),
        ("bg_color", "red"),
        ("bg_image_file", BACKGROUND),
        ("edges", "plain"),
    ],
)
def test_an_explanation_takes_no_options(name: str, value: object) -> None:
    refusal = refusal_of({"image": PICTURE, name: value}, explain=True)

    assert (type(refusal), refusal.code) == (UnsupportedParameter, "unsupported_parameter")


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("row", "headers"),
    [
        ({"body": f'{{"image_file_b64": "{TEXT}"}}'.encode()}, JSON),
        ({"body": f'"{TEXT}"'.encode()}, JSON),
        ({"body": TEXT.encode()}, {"content-type": "text/plain; charset=utf-8"}),
        ({"image": TEXT.encode()}, {"image": {"content-type": "text/plain"}}),
        ({"body": f'{{"data": "{TEXT}"}}'.encode()}, {"body": {"content-type": JSON_TYPE}}),
    ],
    ids=["JSON", "JSON string", "text", "text part", "type of the body alone"],
)
def test_what_torchserve_leaves_undecoded_is_read(
    row: Mapping[str, object], headers: Mapping[str, object]
) -> None:
    assert picture_of(row, headers) == PICTURE


def test_text_that_is_no_text_is_taken_for_the_picture_itself() -> None:
    assert picture_of({"body": b"\xff\xd8\xff"}, {"Content-Type": "text/plain"}) == b"\xff\xd8\xff"


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e999", b"1" * 4000])
def test_a_number_that_json_can_not_hold_is_no_option(number: bytes) -> None:
    body = b'{"data": "%b", "quality": %b}' % (TEXT.encode(), number)

    assert refusal_of({"body": body}, JSON).code == "invalid_quality"


def test_of_a_key_that_comes_twice_the_last_one_counts() -> None:
    body = b'{"data": "%b", "crop": true, "crop": false}' % TEXT.encode()

    assert not request_of({"body": body}, JSON).options.crop


def test_a_request_may_have_as_many_fields_as_the_limit() -> None:
    row = {"image": PICTURE, "format": b"png"}

    assert read_request(row, HTTP, replace(LIMITS, max_fields=2), explain=False).picture == PICTURE
    with pytest.raises(TooManyFields):
        read_request(row, HTTP, replace(LIMITS, max_fields=1), explain=False)


def test_a_form_that_torchserve_passes_on_whole_is_read_by_the_type_of_the_request() -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + PICTURE + b"\r\n--b--"
    headers = {
        "Content-Type": "Multipart/Form-Data; boundary=b",
        "body": {"content-type": "Multipart/Form-Data"},
    }

    assert picture_of({"body": bytearray(body)}, headers) == PICTURE


def test_a_form_of_too_many_fields_is_refused() -> None:
    row = {"image": PICTURE} | {f"field{count}": b"" for count in range(LIMITS.max_fields)}

    assert type(refusal_of(row)) is TooManyFields


@pytest.mark.parametrize(
    "fields",
    [{"format": b"png" + b" " * 4094}, {"format": "png" + " " * 4094}],
    ids=["bytes", "text"],
)
def test_an_option_that_is_too_long_is_refused(fields: dict[str, object]) -> None:
    assert type(refusal_of({"image": PICTURE, **fields})) is FieldTooLong


def test_an_option_may_be_as_long_as_the_limit() -> None:
    assert format_of({"image": PICTURE, "format": "png" + " " * 4093}) is OutputFormat.PNG


def test_a_picture_is_no_field_that_is_too_long() -> None:
    assert picture_of({"image": PICTURE * 1000}) == PICTURE * 1000


def test_fields_are_allowed_up_to_the_limit_itself() -> None:
    row = {"image": PICTURE, "format": "png", "crop": "true"}

    assert read_request(row, HTTP, replace(LIMITS, max_fields=3), explain=False).options.crop
    with pytest.raises(TooManyFields, match="the request has 3 fields; the limit is 2"):
        read_request(row, HTTP, replace(LIMITS, max_fields=2), explain=False)


def test_json_may_hold_two_marks_for_each_field() -> None:
    two, marks = replace(LIMITS, max_fields=2), b'{"data": "%b", "crop": true%b}'

    # A brace and a comma; then two commas more, that no field needs.
    body = marks % (TEXT.encode(), b', "crop": 0, "crop": 1')
    assert read_request({"body": body}, JSON, two, explain=False).options.crop
    body = marks % (TEXT.encode(), b', "crop": 0, "crop": 1, "crop": 1')
    with pytest.raises(TooManyFields, match="the JSON has more than 2 fields"):
        read_request({"body": body}, JSON, two, explain=False)


def test_a_form_of_which_much_is_missing_is_refused_by_its_length() -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": "90000"}

    assert type(refusal_of({"image": PICTURE}, headers)) is InvalidForm
    assert picture_of({"image": PICTURE}, headers | {"Content-Length": "900"}) == PICTURE


def test_of_a_foreign_name_40_characters_are_told() -> None:
    assert f"no field '{'x' * 40}': " in refusal_of({"image": PICTURE, "x" * 99: b""}).detail


def test_of_several_empty_files_the_first_by_name_is_told() -> None:
    row = {"body": b"", "image": b"", "data": b""}

    assert refusal_of(row).detail.startswith("data is empty: ")
