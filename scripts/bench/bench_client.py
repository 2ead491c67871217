"""Asks a server once, and looks whether the answer is the cutout."""

from io import BytesIO

import requests
from PIL import Image

from bench_cases import Turn
from bench_errors import BenchError
from bench_pictures import Picture
from load_generator import TIMEOUT_S, Request
from management_api import local_session


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


def check_answer(response: requests.Response, picture: Picture, turn: Turn) -> int:
    """Make sure that an answer is this picture's cutout; return how many bytes it has.

    Raises:
        BenchError: it is not.
    """
    content = response.content
    if turn.format == "rgba":
        right = len(content) == picture.width * picture.height * 4
    elif turn.format == "tolist":
        right = content.lstrip().startswith(b"[") and len(content) > 8 * picture.width
    else:
        with Image.open(BytesIO(content)) as image:
            right = image.size == (picture.width, picture.height) and image.mode == "RGBA"
    if not right:
        raise BenchError(f"{turn.label} answers with something else than the cutout")
    return len(content)
