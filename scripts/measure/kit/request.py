"""A request to a server under test, and whether its response is the cutout."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import requests
from PIL import Image

from scripts.common.http import local_session
from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.forms import encode_form
from scripts.measure.kit.photos import Picture

TIMEOUT_S = 600


@dataclass(frozen=True)
class Request:
    """A POST; `body` is a file, which load generators send again and again."""

    url: str
    headers: dict[str, str]
    content_type: str
    body: Path

    @classmethod
    def of_form(
        cls,
        folder: Path,
        url: str,
        options: Mapping[str, str],
        photo: Path,
        *,
        field: str = "image_file",
        token: str = "",
    ) -> "Request":
        """Build a request with a form; the same form is written into `folder` once.

        `field` is the name of the photo's field.
        """
        body, content_type = encode_form(
            options, photo.read_bytes(), field=field, name=photo.name, media_type="image/jpeg"
        )
        file = folder / f"{hashlib.sha256(body).hexdigest()[:16]}.form"
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return cls(url, headers, content_type, file)


def send(request: Request) -> requests.Response:
    """Send a request once.

    Raises:
        BenchError: the response's status is not 200.
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


def check_cutout(response: requests.Response, picture: Picture, kind: str) -> int:
    """Check that a response is the cutout of `picture`; return its size in bytes.

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
        raise BenchError(f"{response.url}: the response is not the cutout in {kind}")
    return len(content)
