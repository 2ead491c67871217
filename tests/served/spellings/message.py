"""One HTTP request, and forms as clients write them, byte by byte."""

import socket
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse

BOUNDARY = b"----edge"
FORM_TYPE = "multipart/form-data; boundary=----edge"
# As TorchServe does not recognise it.
FORM_TYPE_IN_CAPITALS = "Multipart/Form-Data; Boundary=----edge"
URLENCODED = "application/x-www-form-urlencoded"
HEAD = (
    b'Content-Disposition: form-data; name="image_file"; filename="a.png"\r\n'
    b"Content-Type: image/png"
)
END = b"--" + BOUNDARY + b"--\r\n"


@dataclass(frozen=True)
class Sent:
    """The type, the body and further headers of one request."""

    content_type: str
    body: bytes
    headers: tuple[str, ...] = ()
    version: str = "1.1"
    chunk: int = 0
    """Size of the chunks that the body is sent in."""

    def to(self, host: str, port: int, path: str, *headers: str) -> tuple[int, HTTPMessage, bytes]:
        """Send it over a connection of its own; return status, headers and body of the answer."""
        lines = [
            f"POST {path} HTTP/{self.version}",
            *("Host: test", "Connection: close", f"Content-Type: {self.content_type}"),
            *("Transfer-Encoding: chunked" if self.chunk else f"Content-Length: {len(self.body)}",),
            *(*headers, *self.headers, "", ""),
        ]
        with socket.create_connection((host, port), timeout=60) as connection:
            connection.sendall("\r\n".join(lines).encode() + self._framed())
            response = HTTPResponse(connection)
            response.begin()
            return response.status, response.headers, response.read()

    def _framed(self) -> bytes:
        if not self.chunk:
            return self.body
        pieces = (self.body[at : at + self.chunk] for at in range(0, len(self.body), self.chunk))
        return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def part(head: bytes, content: bytes) -> bytes:
    """Return one part of a form."""
    return b"--" + BOUNDARY + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


def form(photo: bytes, head: bytes = HEAD, *others: bytes, end: bytes = END) -> bytes:
    """Return the body of a form with a photo, and other parts before it."""
    return b"".join(others) + part(head, photo) + end


def field(name: bytes, content: bytes = b"", more: bytes = b"") -> bytes:
    """Return a part that is called so."""
    return part(b'Content-Disposition: form-data; name="' + name + b'"' + more, content)


def lines(text: bytes) -> list[bytes]:
    """Return base64 in lines as `base64` writes them."""
    return [text[at : at + 76] for at in range(0, len(text), 76)]
