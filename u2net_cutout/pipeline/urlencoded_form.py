"""Urlencoded forms that TorchServe's frontend passes on whole: their media type ends in a space."""

from collections.abc import Iterator

import numpy as np

from u2net_cutout.contract.errors import InvalidForm, TooManyFields
from u2net_cutout.contract.limits import Limits

NO_DIGIT = 16
# Value of each byte as a hexadecimal digit.
DIGITS = np.full(256, NO_DIGIT, np.uint8)
for _digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
    DIGITS[list(_digits)] = range(len(_digits))


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
    """Return a name or a value as it was; what is no escape stays.

    urllib makes an object of each escape: 48 MB of them would take gigabytes.
    """
    data = np.frombuffer(text.replace(b"+", b" "), np.uint8).copy()
    at = np.flatnonzero(data[:-2] == ord("%")).astype(np.int32)
    high, low = DIGITS[data[at + 1]], DIGITS[data[at + 2]]
    valid = (high < NO_DIGIT) & (low < NO_DIGIT)
    at = at[valid]
    data[at] = 16 * high[valid] + low[valid]
    kept = np.ones(len(data), bool)
    for digit in (1, 2):
        kept[at + digit] = False
    return data[kept].tobytes()
