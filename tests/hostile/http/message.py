"""HTTP requests built byte by byte, well-formed and malformed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.hostile.rows.malformed import Row
from u2net_cutout.contract.formats import JSON_TYPE
from u2net_cutout.pipeline.body import BODY_FIELD
from u2net_cutout.pipeline.request import BACKGROUND_FIELD, PICTURE_FIELDS

BOUNDARY = b"torture-boundary"
FORM_TYPE = b"multipart/form-data; boundary=" + BOUNDARY
FILES = (*PICTURE_FIELDS[:4], BACKGROUND_FIELD)
Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Message:
    """What is sent over one connection."""

    name: str
    pieces: Sequence[bytes]
    """Sent one after the other."""
    pause_s: float = 0
    """Between two of them."""
    method: str = "POST"
    response_due: bool = True
    """The server has to respond; without it, closing the connection is right as well."""


@dataclass(frozen=True)
class Address:
    """The model, the token and the path of requests."""

    model: str
    token: str
    path: str = "/predictions"

    def head(self, headers: Headers = (), *, method: str = "POST", path: str = "") -> bytes:
        """Return the first line and the headers, up to the empty line."""
        lines = [
            f"{method} {path or f'{self.path}/{self.model}'} HTTP/1.1".encode(),
            b"Host: localhost",
            f"Authorization: Bearer {self.token}".encode(),
            *(name + b": " + value for name, value in headers),
        ]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def message(
        self,
        name: str,
        body: bytes,
        headers: Headers = (),
        *,
        method: str = "POST",
        path: str = "",
    ) -> Message:
        """Return a request with a correct Content-Length."""
        length = (b"Content-Length", str(len(body)).encode())
        head = self.head([*headers, length], method=method, path=path)
        return Message(name, [head + body], method=method)

    def form(self, name: str, body: bytes, content_type: bytes = FORM_TYPE) -> Message:
        """Return a request with a form whose body is given."""
        return self.message(name, body, [(b"Content-Type", content_type)])


def part(disposition: bytes, value: bytes, content_type: bytes = b"") -> bytes:
    """Return a part of a form with the rest of its Content-Disposition."""
    kind = b"Content-Type: " + content_type + b"\r\n" if content_type else b""
    head = b"Content-Disposition: form-data; " + disposition + b"\r\n" + kind
    return b"--" + BOUNDARY + b"\r\n" + head + b"\r\n" + value + b"\r\n"


def form(parts: Iterable[bytes]) -> bytes:
    """Return the body of a form."""
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def of_row(address: Address, name: str, row: Row) -> Message:
    """Return the request that arrives as this row, as far as HTTP can express it."""
    path = f"/explanations/{address.model}" if row.explain else ""
    headers = [
        (key.encode(), _header(value))
        for key, value in row.headers.items()
        if _is_header(key, value)
    ]
    if set(row.fields) == {BODY_FIELD}:
        body, kind = _body(row.fields[BODY_FIELD])
        typed = any(key.lower() == b"content-type" for key, _ in headers)
        return address.message(
            name, body, headers if typed else [*headers, (b"Content-Type", kind)], path=path
        )
    headers = [(key, value) for key, value in headers if key.lower() != b"content-type"]
    body = form(_part(key, value, row.headers) for key, value in row.fields.items())
    return address.message(name, body, [*headers, (b"Content-Type", FORM_TYPE)], path=path)


def _body(value: Any) -> tuple[bytes, bytes]:
    if isinstance(value, bytes | bytearray):
        return bytes(value), b"application/octet-stream"
    if isinstance(value, str):
        return value.encode(errors="surrogatepass"), b"text/plain"
    return json.dumps(value).encode(), JSON_TYPE.encode()


def _part(name: str, value: Any, headers: Mapping[str, Any]) -> bytes:
    body, kind = _body(value)
    quoted = b'name="' + name.encode(errors="surrogatepass") + b'"'
    if name in FILES or not isinstance(value, bytes | bytearray):
        return part(quoted + b'; filename="a"', body, kind)
    return part(quoted, body)


def _is_header(name: str, value: Any) -> bool:
    return isinstance(value, str) and name != "Host" and len(value) < 4000


def _header(value: str) -> bytes:
    # What breaks the head itself is in framing.py.
    return value.encode(errors="surrogatepass").translate(None, b"\r\n\0")
