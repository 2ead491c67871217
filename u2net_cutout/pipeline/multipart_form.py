"""Multipart forms that TorchServe's frontend passes on whole (RFC 7578).

Its parser, netty 4.1.53's, takes a form for one only if the media type is in small letters and the
boundary among its first two parameters.
"""

from collections.abc import Iterator
from email.parser import HeaderParser

from u2net_cutout.contract.errors import InvalidForm, TooManyFields
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.media_type import MediaType

Body = bytes | bytearray
# Of one part.
MOST_HEAD_BYTES = 1 << 13
PLAIN_ENCODINGS = ("", "binary", "8bit", "7bit")


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
        try:
            head_end = body.index(b"\r\n\r\n", at, at + MOST_HEAD_BYTES)
        except ValueError as error:
            reason = "a part of the form has an unfinished or too long header"
            raise InvalidForm(reason) from error
        end = _following(body, delimiter, head_end)
        name, kind = _described(bytes(body[at:head_end]))
        yield name, body[head_end + 4 : end], kind
        at = end + 2
    raise TooManyFields(f"the form has more than {limits.max_fields} fields")


def _following(body: Body, delimiter: bytes, start: int) -> int:
    """Return where the line break before the next boundary is."""
    try:
        return body.index(b"\r\n" + delimiter, start)
    except ValueError as error:
        raise InvalidForm(
            "the form's boundary is missing from its body, or the one that ends it; lines end "
            "with CRLF"
        ) from error


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
