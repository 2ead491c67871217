"""What a server's response means: a cutout, a refusal, or that the request should come again."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import requests
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from u2net_cutout.client.errors import (
    BadResponse,
    Refused,
    ServerUnusable,
    TryLater,
    WorkerDied,
)
from u2net_cutout.client.file_checks import fault_of
from u2net_cutout.contract.formats import CONTENT_TYPES, OutputFormat

# Raw RGBA of 52 megapixels, the most that a server takes, has 208 MB.
MAX_CUTOUT_BYTES = 256 << 20
# What is read of an error. The server's own have some hundred bytes.
MAX_ERROR_BYTES = 64 << 10
LONGEST_TEXT = 200
CHUNK_BYTES = 1 << 20
# Too many requests; a proxy's server is gone or late; no worker or a full queue; out of memory.
LATER = frozenset({429, 502, 503, 504, 507})
# TorchServe's words for 500 when a worker died over this request, or over another one.
WORKER_DIED = "Worker died"
INVALID_KEY = b"InvalidKeyException"
# A server that asks for a longer pause is of no use to a run.
LONGEST_PAUSE_S = 300.0

# A network that sees more than this is none of ours.
LARGEST_INPUT = 4096

FORMATS = {kind: output_format for output_format, kind in CONTENT_TYPES.items()}


@dataclass(frozen=True)
class Cutout:
    """A cutout's file and what it is."""

    content: bytes
    content_type: str
    input_size: int | None = None
    """Side of the square that the network saw, in pixels; None: the server does not say it."""

    @property
    def output_format(self) -> OutputFormat:
        """The format of the file."""
        return FORMATS[self.content_type]


@dataclass(frozen=True)
class Response:
    """A response as far as it is read: a cutout whole, an error's first 64 KiB."""

    url: str
    status: int
    reason: str
    headers: Mapping[str, str]
    """By name, in any case."""
    body: bytes
    pause_s: float
    """Seconds of ``Retry-After``, which may also be a date; 0 without one."""

    @classmethod
    def read(cls, response: requests.Response) -> "Response":
        """Read a response whose body was not read yet.

        Raises:
            BadResponse: the body is too large.
            urllib3.exceptions.HTTPError, OSError, ValueError: it is broken.
        """
        ok = response.status_code == HTTPStatus.OK
        body = _read_body(response.raw, MAX_CUTOUT_BYTES if ok else MAX_ERROR_BYTES)
        if ok and len(body) > MAX_CUTOUT_BYTES:
            raise BadResponse(f"the response has more than {MAX_CUTOUT_BYTES >> 20} MiB")
        pause_s = _retry_after(response.raw)
        url, reason = response.url, response.reason or ""
        return cls(url, response.status_code, reason, response.headers, body, pause_s)

    @property
    def is_key_refused(self) -> bool:
        """Whether it is the key that is refused; for TorchServe that is status 400, too."""
        if self.status == HTTPStatus.BAD_REQUEST:
            return INVALID_KEY in self.body
        return self.status in (401, 403)

    def cutout(self, expected: OutputFormat | None) -> Cutout:
        """Return the cutout, in the format that is expected; None: in any.

        Raises:
            BadResponse: it is no whole file of that format.
            TryLater: the server is busy.
            WorkerDied: its worker did.
            ServerUnusable: the address is wrong, or the server asks for a pause of minutes.
            Refused: anything else.
        """
        if self.status == HTTPStatus.OK:
            return self._checked(expected)
        code, words = self._error()
        message = f"{code}: {words}" if code else f"status {self.status}: {words}"
        if self.status == HTTPStatus.INTERNAL_SERVER_ERROR and WORKER_DIED in words:
            raise WorkerDied(message, self.pause_s)
        if self.status in LATER:
            if self.pause_s > LONGEST_PAUSE_S:
                raise ServerUnusable(
                    f"{message}; the server asks for a pause of {self.pause_s:g} s"
                )
            raise TryLater(message, self.pause_s)
        if self.status in (404, 405) or 300 <= self.status < 400:
            raise ServerUnusable(f"{message}: check the address {self.url} and the model's name")
        raise Refused(message, status=self.status, code=code)

    def _checked(self, expected: OutputFormat | None) -> Cutout:
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        found = FORMATS.get(kind)
        if found is None or (expected is not None and found not in _possible(expected)):
            wanted = "a cutout" if expected is None else expected.value
            raise BadResponse(
                f"the response is not {wanted}: its type is {kind[:LONGEST_TEXT] or 'missing'}, it "
                f"has {len(self.body)} bytes; check the address {self.url}"
            )
        if fault := fault_of(self.body, found, self._pixels()):
            raise BadResponse(f"the response is no whole {found.value} file: {fault}")
        return Cutout(self.body, kind, self._input_size())

    def _pixels(self) -> int | None:
        """Return the number of pixels, where the server gives width and height."""
        width, height = self._number("X-Width"), self._number("X-Height")
        return None if width is None or height is None else width * height

    def _input_size(self) -> int | None:
        side = self._number("X-Input-Size")
        return side if side is not None and 0 < side <= LARGEST_INPUT else None

    def _number(self, header: str) -> int | None:
        """Return a whole number of at most nine digits in the head."""
        text = self.headers.get(header, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None

    def _error(self) -> tuple[str | None, str]:
        """Return the code, if there is one, and the words of an error."""
        text = self.body.decode(errors="replace")
        try:
            code, words = _code_and_words(json.loads(text))
        except (ValueError, RecursionError):
            code, words = None, text.strip() or self.reason or "no reason given"
        return code and code[:LONGEST_TEXT], words[:LONGEST_TEXT]


def _code_and_words(body: Any) -> tuple[str | None, str]:
    """Take an error's JSON apart: that of the API, TorchServe's own, or any other."""
    if not isinstance(body, dict):
        return None, str(body)
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return None, str(body.get("message") or body)
    code = first.get("code")
    words = str(first.get("detail") or first.get("title"))
    return code if isinstance(code, str) else None, words


def _possible(expected: OutputFormat) -> tuple[OutputFormat, ...]:
    auto = expected is OutputFormat.AUTO
    return (OutputFormat.PNG, OutputFormat.JPG) if auto else (expected,)


def _read_body(raw: BaseHTTPResponse, most: int) -> bytes:
    """Return a body, uncompressed; of a longer one, `most` bytes and one more."""
    chunks, missing = [], most + 1
    while chunk := raw.read(min(CHUNK_BYTES, missing), decode_content=True):
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)


def _retry_after(raw: BaseHTTPResponse) -> float:
    try:
        seconds = Retry().get_retry_after(raw)
        return float(seconds) if seconds is not None and math.isfinite(seconds) else 0.0
    except (InvalidHeader, ValueError, OverflowError):
        return 0.0
