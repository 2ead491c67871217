"""Urlencoded forms that TorchServe's frontend passes on whole: their media type ends in a space."""

from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from u2net_cutout.contract.errors import InvalidForm, TooManyFields
from u2net_cutout.contract.limits import Limits

# Python makes a list of all escapes: of so many bytes at a time.
PIECE_BYTES = 1 << 16


def urlencoded_fields(body: bytes | bytearray, limits: Limits) -> Iterator[tuple[str, str]]:
    """Yield name and value of each field.

    Raises:
        InvalidForm: the body is not urlencoded.
        TooManyFields: it has more fields than a request may have.
    """
    if body.count(b"&") >= limits.max_fields:
        raise TooManyFields(f"the form has more than {limits.max_fields} fields")
    for field in bytes(body).rstrip(b"\r\n").split(b"&"):
        name, equals, value = field.partition(b"=")
        try:
            texts = _unescaped(name).decode(), _unescaped(value).decode()
        except UnicodeDecodeError:
            equals = b""
        if not equals:
            raise InvalidForm("the body is not urlencoded, as its Content-Type says")
        yield texts


def _unescaped(text: bytes) -> bytes:
    """Return a name or a value as it was."""
    text = text.replace(b"+", b" ")
    pieces, at = [], 0
    while at < len(text):
        piece = text[at : at + PIECE_BYTES]
        # An escape, of three bytes, is not divided.
        if (cut := piece.rfind(b"%", -2)) > 0:
            piece = piece[:cut]
        pieces.append(unquote_to_bytes(piece))
        at += len(piece)
    return b"".join(pieces)
