"""The client in Python: the cutout of a picture in the form that the picture has."""

from functools import cache
from typing import Any, overload

import numpy.typing as npt
import requests
from PIL import Image

from u2net_cutout.client.errors import Refused, UsageError
from u2net_cutout.client.local_composite import composite as composite_locally
from u2net_cutout.client.pictures import Array, File, Picture, Value, as_file, cut_out_as_given
from u2net_cutout.client.service import CutoutService
from u2net_cutout.client.settings import connect

# Errors over a picture whose small copy a server would take; TorchServe's own has no code.
TOO_LARGE = ("file_too_large", "resolution_too_high", "response_too_large", None)


@overload
def remove(
    image: File,
    *,
    client: CutoutService | None = ...,
    composite: bool = ...,
    bg_image_file: File | None = ...,
    **options: Value,
) -> bytes: ...
@overload
def remove(
    image: Image.Image,
    *,
    client: CutoutService | None = ...,
    composite: bool = ...,
    bg_image_file: File | None = ...,
    **options: Value,
) -> Image.Image: ...
@overload
def remove(
    image: npt.NDArray[Any],
    *,
    client: CutoutService | None = ...,
    composite: bool = ...,
    bg_image_file: File | None = ...,
    **options: Value,
) -> Array: ...
def remove(
    image: Picture,
    *,
    client: CutoutService | None = None,
    composite: bool = False,
    bg_image_file: File | None = None,
    **options: Value,
) -> bytes | Image.Image | Array:
    """Return a picture's cutout, of the type that the picture has.

    A path or a file's bytes become a file's bytes, by default PNG; a Pillow image one of mode RGBA,
    an array (H, W), (H, W, 3) or (H, W, 4) of uint8, RGB, one of (H, W, 4). With
    ``channels="alpha"`` they are of mode L and (H, W). `client` is by default that of the
    environment (``U2NET_URL``, ``U2NET_KEY``); `options` are the server's. With `composite` only a
    small copy is sent.

    Raises:
        UsageError: an option or an array is not valid.
        Refused, BadResponse, TryLater, ServerUnusable: as ``CutoutClient.cut_out``.
        OSError: the file of a path can't be read.
    """
    if composite and bg_image_file is not None:
        raise UsageError("composite excludes bg_image_file")
    background = None if bg_image_file is None else as_file(bg_image_file)

    def cut_out(file: bytes, fields: dict[str, str]) -> bytes:
        used = client or _default_client()
        if composite:
            return composite_locally(used, file, fields).cutout.content
        try:
            return used.cut_out(file, fields, background).content
        except Refused as error:
            if (
                error.code not in TOO_LARGE
                or error.status != requests.codes.request_entity_too_large
            ):
                raise
            words = f"{error}: composite=True sends a small copy"
            raise Refused(words, status=error.status, code=error.code) from error

    return cut_out_as_given(image, options, cut_out)


@cache
def _default_client() -> CutoutService:
    return connect()
