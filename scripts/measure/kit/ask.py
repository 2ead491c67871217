"""Asks a server once, and looks whether the answer is the cutout."""

from io import BytesIO

import requests
from PIL import Image

from scripts.common.http import local_session
from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.hey import TIMEOUT_S, Request
from scripts.measure.kit.photos import Picture


def ask(request: Request) -> requests.Response:
    """Send a request once.

    Raises:
        BenchError: the answer is not 200.
    """
    response = local_session().post(
        request.url,
        data=request.body.read_bytes(),
        headers={**request.headers, "Content-Type": request.content_type},
        timeout=TIMEOUT_S,
    )
    if response.status_code != 200:
        raise BenchError(f"{request.url}: {response.status_code} {response.text[:300]}")
    return response


def check_answer(response: requests.Response, picture: Picture, kind: str) -> int:
    """Make sure that an answer is this picture's cutout; return how many bytes it has.

    `kind` is its format: ``rgba``, ``tolist``, or one that Pillow reads.

    Raises:
        BenchError: it is not.
    """
    content = response.content
    if kind == "rgba":
        right = len(content) == picture.width * picture.height * 4
    elif kind == "tolist":
        right = content.lstrip().startswith(b"[") and len(content) > 8 * picture.width
    else:
        with Image.open(BytesIO(content)) as image:
            right = image.size == (picture.width, picture.height) and image.mode == "RGBA"
    if not right:
        raise BenchError(f"{response.url} answers with something else than the cutout in {kind}")
    return len(content)
