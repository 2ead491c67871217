"""What one request gets back, before TorchServe wraps it. Knows HTTP's words, not TorchServe."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from PIL import Image

from u2net_cutout.contract.errors import CutoutError, ResponseTooLarge
from u2net_cutout.contract.formats import CONTENT_TYPES, OutputFormat
from u2net_cutout.imaging.encoding import MAX_SIDE, encode, resolve
from u2net_cutout.pipeline.placement import Box
from u2net_cutout.pipeline.request import JSON_TYPE, CutoutRequest

# What the head of a response can hold. TorchServe kills the worker over most of what is not this.
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
HEADER_TEXT = re.compile(r"[ -~]+")
CODE_HEADER = "X-Error-Code"

OK = "ok"
# A detail may quote what a client sent, and that may be megabytes.
LONGEST_DETAIL = 1000


@dataclass(frozen=True)
class Answer:
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
    """Of the error that it tells."""
    output_format: OutputFormat | None = None
    """Of the picture that it holds."""

    def __post_init__(self) -> None:
        if type(self.body) is not bytes or type(self.status) is not int:
            raise TypeError("an answer has bytes for its body and a whole number for its status")
        if not 200 <= self.status <= 599:
            raise ValueError(f"{self.status} is no status of an answer")
        texts = (self.phrase, self.content_type, *self.headers.values())
        if not all(HEADER_TEXT.fullmatch(text) for text in texts):
            raise ValueError("what stands in a head is printable ASCII")
        if not all(HEADER_NAME.fullmatch(name) for name in self.headers):
            raise ValueError("a header's name is letters, digits and hyphens")

    def with_header(self, name: str, value: str) -> "Answer":
        """Return the same answer with one more header."""
        return replace(self, headers={**self.headers, name: value})


@dataclass(frozen=True)
class Figures:
    """What is known of an answer's picture besides its pixels."""

    subject: Box | None
    """Where the subject lies in the answer's picture."""
    coverage: float
    """Share of the photo that is foreground."""
    uncertainty: float | None = None
    """Mean entropy of the network's maps, in bits a pixel; None if it is not told."""


def picture_answer(
    picture: Image.Image, figures: Figures, request: CutoutRequest, max_response_bytes: int
) -> Answer:
    """Answer with a picture, in the format and the form that the request asks for.

    Raises:
        ResponseTooLarge: TorchServe would not carry it, or the format can't hold it.
    """
    output_format = resolve(request.output_format, picture)
    _check_side(picture, output_format)
    body = encode(picture, output_format, request.options.quality)
    content_type = CONTENT_TYPES[output_format]
    left, top, right, bottom = figures.subject or (0, 0, 0, 0)
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
            "coverage": round(figures.coverage, 6),
            "uncertainty": None if figures.uncertainty is None else round(figures.uncertainty, 6),
        }
        body, content_type = json.dumps({"data": data}).encode(), JSON_TYPE
    check_size(len(body), max_response_bytes)
    headers = {_header(name): str(value) for name, value in {**size, **box}.items()}
    return Answer(body, content_type, headers=headers, output_format=output_format)


def check_size(size: int, max_response_bytes: int) -> None:
    """Refuse an answer of `size` bytes that TorchServe would not carry.

    TorchServe kills the worker over an answer above its ``max_response_size``.

    Raises:
        ResponseTooLarge: it is over the limit.
    """
    if size > max_response_bytes:
        raise ResponseTooLarge(
            f"the answer would have {size} bytes; the limit is {max_response_bytes}. "
            "PNG is smaller than raw RGBA, and a smaller picture than both"
        )


def _check_side(picture: Image.Image, output_format: OutputFormat) -> None:
    longest = MAX_SIDE.get(output_format)
    if longest is not None and max(picture.size) > longest:
        raise ResponseTooLarge(
            f"{output_format.value} can't hold more than {longest} pixels along a side"
        )


def error_answer(error: CutoutError) -> Answer:
    """Answer with the contract's error body, and its code in the head.

    The code tells a gateway and its log that the error is the handler's, not TorchServe's.
    """
    detail = error.detail[:LONGEST_DETAIL]
    entry = {"title": error.title, "code": error.code, "detail": detail}
    body = json.dumps({"errors": [entry]}).encode()
    headers = {CODE_HEADER: error.code}
    return Answer(body, JSON_TYPE, error.status, error.phrase, headers, code=error.code)


def _header(name: str) -> str:
    return "X-" + "-".join(word.capitalize() for word in name.split("_"))
