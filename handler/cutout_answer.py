"""What one request gets back, before TorchServe wraps it. Knows HTTP's words, not TorchServe."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image

from cutout_errors import CutoutError, ResponseTooLarge
from image_encoding import OutputFormat, encode


@dataclass(frozen=True)
class Answer:
    """Status, head and body of one response. TorchServe takes only strings in the head."""

    body: bytes
    content_type: str
    status: int = 200
    phrase: str = "OK"
    headers: Mapping[str, str] = field(default_factory=dict)


def picture_answer(
    picture: Image.Image, output_format: OutputFormat, max_response_bytes: int
) -> Answer:
    """Answer with a picture, its size in ``X-Width`` and ``X-Height``.

    Raises:
        ResponseTooLarge: TorchServe would not carry the encoded picture.
    """
    body = encode(picture, output_format)
    check_size(len(body), max_response_bytes)
    size = {"X-Width": str(picture.width), "X-Height": str(picture.height)}
    return Answer(body, output_format.content_type, headers=size)


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


def error_answer(error: CutoutError) -> Answer:
    """Answer with the contract's error body."""
    entry = {"title": error.title, "code": error.code, "detail": error.detail}
    body = json.dumps({"errors": [entry]}).encode()
    return Answer(body, "application/json", error.status, error.phrase)
