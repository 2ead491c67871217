from typing import Any

import pytest
from urllib3.filepost import encode_multipart_formdata

from u2net_cutout.contract.errors import InvalidForm, TooManyFields
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.media_type import MediaType
from u2net_cutout.pipeline.multipart_form import multipart_parts

LIMITS = Limits(max_file_bytes=10**6, max_pixels=10**6, max_response_bytes=10**6)
# With all that could be taken for the form's own.
PICTURE = b"\x89PNG\r\n--\r\n\r\n--x\r\nb\0\xff\r\n"
FORM = MediaType.parse("Multipart/Form-Data; boundary=b")
HEAD = b'Content-Disposition: form-data; name="image"; filename="a.png"'


def parts_of(body: bytes | bytearray, media_type: MediaType = FORM) -> list[tuple[str, bytes, str]]:
    return [
        (name, bytes(content), kind.name)
        for name, content, kind in multipart_parts(body, media_type, LIMITS)
    ]


def form_of(head: bytes = HEAD, content: bytes = PICTURE, end: bytes = b"--b--\r\n") -> bytes:
    return b"--b\r\n" + head + b"\r\n\r\n" + content + b"\r\n" + end


@pytest.mark.parametrize("boundary", ["b", "----WebKitFormBoundary7MA4Y", "'()+_,-./:=?", "a b"])
def test_what_urllib3_writes_is_taken_apart(boundary: str) -> None:
    sent: list[tuple[str, Any]] = [
        ("image", ("фото.png", PICTURE, "image/png")),
        ("format", (None, "png", "text/plain; charset=utf-8")),
        ("crop", "true"),
        ("bg_image_file", ("", b"", "application/octet-stream")),
    ]
    body, _ = encode_multipart_formdata(sent, boundary)

    assert parts_of(body, MediaType.parse(f'MULTIPART/form-data; boundary="{boundary}"')) == [
        ("image", PICTURE, "image/png"),
        ("format", b"png", "text/plain"),
        ("crop", b"true", ""),
        ("bg_image_file", b"", "application/octet-stream"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"preamble\r\n" + form_of(),
        b"\r\n" + form_of(),
        form_of(end=b"--b--"),
        form_of(end=b"--b--\r\nepilogue"),
        form_of().replace(b"--b\r\n", b"--b  \r\n"),
        form_of(
            HEAD.replace(b"Content-Disposition: form-data;", b"CONTENT-DISPOSITION:Form-Data;")
        ),
        form_of(HEAD.replace(b"; ", b";\r\n ")),
        form_of(HEAD.replace(b'"', b"")),
        form_of(HEAD.replace(b"name", b"NAME")),
        form_of(b'Content-Disposition: form-data; filename="a;b\\".png"; name="image"'),
        form_of(b"X-Any: 1\r\n" + HEAD + b"\r\nContent-Transfer-Encoding: Binary"),
        form_of(HEAD + b"; filename*=UTF-8''%D1%84.png"),
        form_of(HEAD.replace(b"a.png", b"\xe9.png")),
    ],
)
def test_forms_at_the_edge_of_the_standard_are_taken_apart(body: bytes) -> None:
    assert parts_of(bytearray(body)) == [("image", PICTURE, "")]


def test_a_part_may_be_empty_without_a_line_break_of_its_own() -> None:
    assert parts_of(b"--b\r\n" + HEAD + b"\r\n\r\n--b--\r\n") == [("image", b"", "")]


@pytest.mark.parametrize("preamble", [b"", b"\r\n", b"preamble\r\n"])
def test_a_form_may_have_no_parts(preamble: bytes) -> None:
    assert parts_of(preamble + b"--b--\r\n") == []


@pytest.mark.parametrize("declared", ["Multipart/Form-Data", "Multipart/Form-Data; boundary="])
def test_a_form_without_a_boundary_says_so(declared: str) -> None:
    with pytest.raises(InvalidForm, match="boundary"):
        parts_of(form_of(), MediaType.parse(declared))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "boundary"),
        (b"\0" * 99, "boundary"),
        (form_of(end=b""), "boundary"),
        (form_of(end=b"--c--\r\n"), "boundary"),
        (form_of().replace(b"\r\n", b"\n"), "unfinished or too long header"),
        (form_of(b"X: " + b"x" * 9000), "too long"),
        (b"--b\r\nContent-Disposition: form-data", "unfinished or too long header"),
        (form_of(HEAD.replace(b'name="image"', b"")), "Content-Disposition"),
        (form_of(HEAD.replace(b"form-data", b"attachment")), "Content-Disposition"),
        (form_of(HEAD.replace(b"form-data", b"inline")), "Content-Disposition"),
        (form_of(HEAD.replace(b"name=", b"name*=utf-8''")), "Content-Disposition"),
        (form_of(b"Content-Type: image/png"), "Content-Disposition"),
        (form_of(b""), "Content-Disposition"),
        (form_of().replace(b"--b\r\n", b"--bc\r\n"), "Content-Disposition"),
        (form_of(HEAD + b"\r\nContent-Transfer-Encoding: base64"), "Content-Transfer-Encoding"),
    ],
)
def test_a_form_that_can_not_be_taken_apart_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(InvalidForm, match=reason):
        parts_of(body)


def test_a_form_has_as_many_parts_as_a_request_may_have_fields() -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n\r\n'

    assert len(parts_of(part * LIMITS.max_fields + b"--b--")) == LIMITS.max_fields
    with pytest.raises(TooManyFields):
        parts_of(part * (LIMITS.max_fields + 1) + b"--b--")


@pytest.mark.parametrize("encoding", ["binary", "8bit", "7bit", "BINARY"])
def test_encodings_that_change_nothing_are_taken(encoding: str) -> None:
    head = HEAD + b"\r\nContent-Transfer-Encoding: " + encoding.encode()

    assert parts_of(form_of(head)) == [("image", PICTURE, "")]


def test_the_head_of_a_part_may_have_8_kibibytes() -> None:
    # With the line break before it, and the two after it.
    head = HEAD + b"\r\nX: "
    rest = 8192 - len(b"\r\n" + head + b"\r\n\r\n")

    assert parts_of(form_of(head + b"x" * rest)) == [("image", PICTURE, "")]
    with pytest.raises(InvalidForm, match="too long"):
        parts_of(form_of(head + b"x" * (rest + 1)))


def test_a_long_name_is_told_in_part() -> None:
    name = b"x" * 99
    head = HEAD.replace(b"image", name) + b"\r\nContent-Transfer-Encoding: base64"

    with pytest.raises(InvalidForm, match=f"of '{'x' * 40}': "):
        parts_of(form_of(head))


def test_a_boundary_beyond_latin_1_is_missing() -> None:
    foreign = MediaType(FORM.name, {"boundary": "€"})

    with pytest.raises(InvalidForm, match="the form's boundary is missing"):
        parts_of(form_of(), foreign)
