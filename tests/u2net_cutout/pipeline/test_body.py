import base64
import json
from collections.abc import Mapping

import pytest

from u2net_cutout.contract.errors import (
    InvalidForm,
    InvalidJson,
    TooManyFields,
    UnknownParameter,
)
from u2net_cutout.contract.formats import JSON_TYPE
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.body import Fields, read_fields
from u2net_cutout.pipeline.media_type import MediaType

LIMITS = Limits(max_file_bytes=10**6, max_pixels=10**6, max_response_bytes=10**6)
PICTURE = b"\xff\xd8\xff picture"
TEXT = base64.b64encode(PICTURE).decode()
OBJECT = json.dumps({"data": TEXT, "crop": True}).encode()
FIELDS = {"data": TEXT, "crop": True}
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="data"; filename="a"\r\n\r\n' + PICTURE + b"\r\n"
    b'--b\r\nContent-Disposition: form-data; name="crop"\r\n'
    b"Content-Type: application/json\r\n\r\ntrue\r\n"
    b'--b\r\nContent-Disposition: form-data; name="format"\r\n'
    b"Content-Type: text/plain; charset=utf-8\r\n\r\npng\r\n--b--\r\n"
)


def fields_of(row: Fields, types: Mapping[str, str] | None = None, length: str = "") -> Fields:
    parsed = {name: MediaType.parse(declared) for name, declared in (types or {}).items()}
    return read_fields(row, parsed, length, LIMITS)


@pytest.mark.parametrize(
    ("body", "declared", "expected"),
    [
        (PICTURE, "image/jpeg", {"body": PICTURE}),
        (PICTURE, "", {"body": PICTURE}),
        (OBJECT, JSON_TYPE, FIELDS),
        (OBJECT, "Application/JSON ;charset=utf-8", FIELDS),
        (OBJECT, "application/vnd.api+json", FIELDS),
        (b"\xef\xbb\xbf" + OBJECT, JSON_TYPE, FIELDS),
        (OBJECT, "text/plain;charset=UTF-8", FIELDS),
        (b"\xef\xbb\xbf\r\n " + OBJECT, "text/plain", FIELDS),
        (f'"{TEXT}"'.encode(), JSON_TYPE, {"body": TEXT}),
        (f'"{TEXT}"'.encode(), "text/plain", {"body": TEXT}),
        (TEXT.encode(), "text/plain", {"body": TEXT}),
        (TEXT.encode(), "TEXT/PLAIN; charset=utf-7", {"body": TEXT}),
        (PICTURE, "text/plain", {"body": PICTURE}),
        (OBJECT, "application/octet-stream", {"body": OBJECT}),
        (FORM, "Multipart/Form-Data; boundary=b", {"data": PICTURE, "crop": True, "format": "png"}),
        (
            b"data=QUFB&format=png",
            "application/x-www-form-urlencoded ; charset=utf-8",
            {"data": "QUFB", "format": "png"},
        ),
        # It is looked for in the beginning only.
        (b" " * 63 + OBJECT, "text/plain", FIELDS),
        (b" " * 64 + OBJECT, "text/plain", {"body": " " * 64 + OBJECT.decode()}),
        # Letters are no marks.
        (b'{"data": "%b"}' % (b"abcxyzABCXYZ" * 99), JSON_TYPE, {"data": "abcxyzABCXYZ" * 99}),
        (b"", JSON_TYPE, {"body": b""}),
        (b"", "multipart/form-data", {"body": b""}),
    ],
)
def test_a_body_is_read_by_its_type(
    body: bytes, declared: str, expected: Mapping[str, object]
) -> None:
    assert fields_of({"body": bytearray(body)}, {"body": declared}) == expected


def test_the_fields_of_a_form_are_read_by_their_own_types() -> None:
    row = {"image": TEXT.encode(), "data": PICTURE, "options": OBJECT, "a": b"1", "b": FORM}
    types = {
        "image": "text/plain",
        "data": "text/plain",
        "options": JSON_TYPE,
        "b": "multipart/form-data; boundary=b",
        "body": "multipart/form-data; boundary=c",
    }

    expected = {"image": TEXT, "data": PICTURE, "options": FIELDS, "a": b"1", "b": FORM}
    assert fields_of(row, types) == expected


@pytest.mark.parametrize("body", [FIELDS, OBJECT])
def test_fields_of_the_address_stay_beside_those_of_json(body: object) -> None:
    row = {"body": body, "format": b"png"}

    assert fields_of(row, {"body": JSON_TYPE}) == {**FIELDS, "format": b"png"}


@pytest.mark.parametrize("row", [{}, {"image": PICTURE}])
def test_a_form_of_which_much_is_missing_is_refused(row: Fields) -> None:
    types = {"body": "multipart/form-data; boundary=b"}

    assert fields_of(row, types, "100") == row
    with pytest.raises(InvalidForm):
        fields_of(row, types, "100000")


def test_a_field_that_comes_twice_is_refused() -> None:
    types = {"body": "Multipart/Form-Data; boundary=b"}

    with pytest.raises(InvalidForm, match="'crop' twice"):
        fields_of({"body": FORM.replace(b'"format"', b'"crop"')}, types)
    long = FORM.replace(b'"format"', b'"%b"' % (b"x" * 99)).replace(
        b'"crop"', b'"%b"' % (b"x" * 99)
    )
    with pytest.raises(InvalidForm, match=f" '{'x' * 40}' twice"):
        fields_of({"body": long}, types)


@pytest.mark.parametrize("body", [b"{", b"[1", b"nothing", b"\xff", b"1" * 5_000_000, b"1e"])
def test_broken_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        fields_of({"body": body}, {"body": JSON_TYPE})


@pytest.mark.parametrize("body", [[TEXT], None, 5, True])
def test_json_is_an_object_or_a_text(body: object) -> None:
    with pytest.raises(InvalidJson):
        fields_of({"body": body})


def test_an_object_has_no_body_of_its_own() -> None:
    with pytest.raises(UnknownParameter):
        fields_of({"body": {"body": TEXT}})


@pytest.mark.parametrize("declared", [JSON_TYPE, "text/plain"])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b"[" + b"[]," * 100_000 + b"[]]",
        b'{"data": "", ' + b", ".join(b'"%d": 1' % count for count in range(1000)) + b"}",
    ],
    ids=["deep", "wide", "keys"],
)
def test_json_of_too_many_values_is_refused_before_it_is_parsed(body: bytes, declared: str) -> None:
    with pytest.raises(TooManyFields):
        fields_of({"body": body}, {"body": declared})
