"""Forms that TorchServe's frontend does not take apart, and what it leaves out of those it does.

Its parser is netty 4.1.53's. It takes a form for one only if the media type is in small letters and
the boundary among its first two parameters; other forms arrive whole. Of a form that it can't
follow it drops the rest without a word: what comes before the first boundary or after a line
break of an urlencoded form, and a last part that no boundary closes. TorchServe drops all but the
last field of a name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.parser import HeaderParser
from urllib.parse import parse_qsl

from u2net_cutout.contract.errors import InvalidForm, TooManyFields
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.media_type import FORM_TYPE, URLENCODED_TYPE, MediaType

Body = bytes | bytearray
# Of one part; a name has at most Limits.max_field_bytes.
MOST_HEAD_BYTES = 1 << 13
PLAIN_ENCODINGS = ("", "binary", "8bit", "7bit")
JSON_BEGINNING = "{"
# Encoders of forms leave these as they are.
NEVER_ESCAPED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def multipart_parts(
    body: Body, media_type: MediaType, limits: Limits
) -> Iterator[tuple[str, Body, MediaType]]:
    """Yield name, content and type of each part (RFC 7578).

    Raises:
        InvalidForm: the boundary is missing, or the body is not what it says.
        TooManyFields: it has more parts than a request may have fields.
    """
    boundary = media_type.parameters.get("boundary", "")
    if not boundary:
        raise InvalidForm(
            "multipart/form-data lacks its boundary: leave Content-Type to the library that "
            "writes the form"
        )
    delimiter = b"--" + boundary.encode("latin-1", errors="replace")
    at = 0 if body.startswith(delimiter) else _following(body, delimiter, 0) + 2
    for _ in range(limits.max_fields + 1):
        at += len(delimiter)
        if body[at : at + 2] == b"--":
            return
        head_end = body.find(b"\r\n\r\n", at, at + MOST_HEAD_BYTES)
        if head_end < 0:
            raise InvalidForm("a part of the form has no end to its head, or too long a one")
        end = _following(body, delimiter, head_end + 2)
        name, kind = _described(bytes(body[at:head_end]))
        yield name, body[head_end + 4 : end], kind
        at = end + 2
    raise TooManyFields(f"the form has more than {limits.max_fields} fields")


def urlencoded_fields(body: Body, limits: Limits) -> Iterator[tuple[str, str]]:
    """Yield name and value of each field.

    Raises:
        InvalidForm: the body is not urlencoded.
        TooManyFields: it has more fields than a request may have.
    """
    if body.count(b"&") >= limits.max_fields:
        raise TooManyFields(f"the form has more than {limits.max_fields} fields")
    try:
        yield from parse_qsl(bytes(body).decode("ascii"), True, strict_parsing=True)
    except ValueError as error:
        raise InvalidForm("the body is not urlencoded, as its Content-Type says") from error


def check_arrived(
    fields: Mapping[str, object], media_type: MediaType, length: str, limits: Limits
) -> None:
    """Refuse a form of whose body, `length` bytes, much has arrived in no field.

    Of a few bytes nothing is known, and of a body whose length is not.

    Raises:
        InvalidForm: part of it was lost, or it is JSON.
    """
    texts = _encoded([*fields, *fields.values()])
    if media_type.name == FORM_TYPE:
        most = sum(map(len, texts)) + limits.max_field_bytes * (len(fields) + 1)
        reason = (
            "a field came twice, a boundary is not that of Content-Type, or the last one is missing"
        )
    elif media_type.name == URLENCODED_TYPE:
        if any(name.lstrip().startswith(JSON_BEGINNING) for name in fields):
            raise InvalidForm("the form is JSON: send it with Content-Type: application/json")
        most = _longest_urlencoded(texts)
        reason = (
            "a line break ended it, a field came twice, or it is none: send a file with curl's -F, "
            "or with its own Content-Type"
        )
    else:
        return
    # A value that was parsed has no length any more.
    known = length.isdecimal() and len(texts) == 2 * len(fields)
    if known and int(length[:20]) > most:
        raise InvalidForm(f"not all {length[:20]} bytes of the form are in its fields: {reason}")


def _following(body: Body, delimiter: bytes, start: int) -> int:
    """Return where the line break before the next boundary is."""
    at = body.find(b"\r\n" + delimiter, start)
    if at < 0:
        raise InvalidForm(
            "the form's boundary is missing from its body, or the one that ends it; lines end "
            "with CRLF"
        )
    return at


def _described(head: bytes) -> tuple[str, MediaType]:
    """Return a part's name and type from its head, which begins after the boundary."""
    headers = HeaderParser().parsestr(head.decode(errors="replace").lstrip())
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str) or headers.get_content_disposition() != "form-data":
        raise InvalidForm("a part of the form has no Content-Disposition: form-data with a name")
    encoding = str(headers.get("content-transfer-encoding", "")).strip().lower()
    if encoding not in PLAIN_ENCODINGS:
        raise InvalidForm(f"Content-Transfer-Encoding of {name[:40]!r}: send the bytes themselves")
    return name, MediaType.parse(str(headers.get("content-type", "")))


def _encoded(texts: Iterable[object]) -> list[Body]:
    return [
        text.encode(errors="replace") if isinstance(text, str) else text
        for text in texts
        if isinstance(text, str | bytes | bytearray)
    ]


def _longest_urlencoded(texts: Sequence[Body]) -> int:
    """Return the most bytes that an urlencoded form of these names and values has."""
    escaped = sum(len(text.translate(None, NEVER_ESCAPED)) for text in texts)
    # Each of those as three, and = or & after each text.
    return sum(map(len, texts)) + 2 * escaped + len(texts)
