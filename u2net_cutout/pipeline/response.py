"""The response to one request, before TorchServe wraps it. Knows HTTP's words, not TorchServe."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from PIL import Image

from u2net_cutout.contract.errors import CutoutError, ResponseTooLarge
from u2net_cutout.contract.formats import CONTENT_TYPES, JSON_TYPE, OutputFormat
from u2net_cutout.contract.limits import check_response_size
from u2net_cutout.imaging.encoding import MAX_SIDE, encode, resolve
from u2net_cutout.pipeline.placement import Box
from u2net_cutout.pipeline.request import CutoutRequest

# What the head of a response can hold. TorchServe kills the worker over most of what is not this.
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
HEADER_TEXT = re.compile(r"[ -~]+")
CODE_HEADER = "X-Error-Code"

OK = "ok"
# A detail may quote what a client sent, and that may be megabytes.
LONGEST_DETAIL = 1000


@dataclass(frozen=True)
class Response:
    """Status, head and body of one response.

    Raises:
        TypeError, ValueError: TorchServe could not carry it; its author made a mistake.
    """

    body: bytes
    content_type: str
    status: int = 200
    phrase: str = "OK"
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = OK
    """``ok``, or the error's code."""
    output_format: OutputFormat | None = None
    """Of the picture that it holds."""

    def __post_init__(self) -> None:
        if type(self.body) is not bytes or type(self.status) is not int:
            raise TypeError("a response has bytes as its body and a whole number as its status")
        if not 200 <= self.status <= 599:
            raise ValueError(f"{self.status} is not a status of a response")
        texts = (self.phrase, self.content_type, *self.headers.values())
        if not all(HEADER_TEXT.fullmatch(text) for text in texts):
            raise ValueError("a head holds printable ASCII only")
        if not all(HEADER_NAME.fullmatch(name) for name in self.headers):
            raise ValueError("a header's name is letters, digits and hyphens")

    @property
    def failed(self) -> bool:
        """Whether it is an error's."""
        return self.status >= 400

    def with_header(self, name: str, value: str) -> "Response":
        """Return the same response with one more header."""
        return replace(self, headers={**self.headers, name: value})


@dataclass(frozen=True)
class CutoutStats:
    """Facts about a response's picture."""

    subject: Box | None
    """Where the subject lies in the response's picture."""
    coverage: float
    """Share of the photo that is foreground."""
    uncertainty: float | None = None
    """Mean entropy of the network's maps, in bits a pixel; None if it was not computed."""


def picture_response(
    picture: Image.Image, stats: CutoutStats, request: CutoutRequest, max_response_bytes: int
) -> Response:
    """Return a response with a picture, in the format and form that the request asks for.

    Raises:
        ResponseTooLarge: TorchServe would not carry it, or the format can't hold it.
    """
    output_format = resolve(request.output_format, picture)
    _check_side(picture, output_format)
    body = encode(picture, output_format, request.options.quality)
    content_type = CONTENT_TYPES[output_format]
    left, top, right, bottom = stats.subject or (0, 0, 0, 0)
    size = {"width": picture.width, "height": picture.height}
    box = {
        "foreground_top": top,
        "foreground_left": left,
        "foreground_width": right - left,
        "foreground_height": bottom - top,
    }
    if request.in_json:
        data = {
            "result_b64": base64.b64encode(body).decode(),
            "content_type": content_type,
            **size,
            **box,
            "coverage": round(stats.coverage, 6),
            "uncertainty": None if stats.uncertainty is None else round(stats.uncertainty, 6),
        }
        body, content_type = json.dumps({"data": data}).encode(), JSON_TYPE
    check_response_size(len(body), max_response_bytes)
    headers = {_header(name): str(value) for name, value in {**size, **box}.items()}
    return Response(body, content_type, headers=headers, output_format=output_format)


def _check_side(picture: Image.Image, output_format: OutputFormat) -> None:
    longest = MAX_SIDE.get(output_format)
    if longest is not None and max(picture.size) > longest:
        raise ResponseTooLarge(
            f"{output_format.value} can't hold more than {longest} pixels along a side"
        )


def as_response(outcome: Response | CutoutError) -> Response:
    """Return a response as it is, and an error's response."""
    return error_response(outcome) if isinstance(outcome, CutoutError) else outcome


def error_response(error: CutoutError) -> Response:
    """Return a response with the contract's error body, and its code in the head.

    By the code a gateway and its log know that the error is the handler's, not TorchServe's.
    """
    detail = error.detail[:LONGEST_DETAIL]
    entry = {"title": error.title, "code": error.code, "detail": detail}
    body = json.dumps({"errors": [entry]}).encode()
    headers = {CODE_HEADER: error.code}
    return Response(body, JSON_TYPE, error.status, error.phrase, headers, code=error.code)


def _header(name: str) -> str:
    return "X-" + "-".join(word.capitalize() for word in name.split("_"))
