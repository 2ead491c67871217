"""What TorchServe's frontend leaves out of the forms that it takes apart.

Its parser, netty 4.1.53's, drops without a word what it can't follow: all before the first
boundary or after a line break of an urlencoded form, and a last part that no boundary closes.
TorchServe drops all but the last field of a name. The length of the whole form tells.
"""

from collections.abc import Iterable, Mapping, Sequence

from u2net_cutout.contract.errors import InvalidForm
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.media_type import FORM_TYPE, URLENCODED_TYPE, MediaType

# A boundary has at most 70 characters (RFC 2046, 5.1.1).
EMPTY_FORM_BYTES = 128
JSON_BEGINNING = "{"
# Encoders of forms leave these as they are.
NEVER_ESCAPED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def check_arrived(
    fields: Mapping[str, object], media_type: MediaType, length: str, limits: Limits
) -> None:
    """Refuse a form of whose body, `length` bytes, much has arrived in no field.

    What the head of a part may have, ``max_field_bytes``, is not missed.

    Raises:
        InvalidForm: part of it was lost, or it is JSON.
    """
    texts = _encoded([*fields, *fields.values()])
    if media_type.name == FORM_TYPE:
        most = sum(map(len, texts)) + limits.max_field_bytes * len(fields) + EMPTY_FORM_BYTES
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
    # Python refuses to read numbers of thousands of digits.
    length = length[:20]
    if known and int(length) > most:
        raise InvalidForm(f"not all {length} bytes of the form are in its fields: {reason}")


def _encoded(texts: Iterable[object]) -> list[bytes | bytearray]:
    return [
        text.encode(errors="replace") if isinstance(text, str) else text
        for text in texts
        if isinstance(text, str | bytes | bytearray)
    ]


def _longest_urlencoded(texts: Sequence[bytes | bytearray]) -> int:
    """Return the most bytes that an urlencoded form of these names and values has."""
    escaped = sum(len(text.translate(None, NEVER_ESCAPED)) for text in texts)
    # Each of those as three, and = or & after each text.
    return sum(map(len, texts)) + 2 * escaped + len(texts)
