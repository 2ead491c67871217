"""Cutouts of what Python has as pictures: files' bytes, Pillow's images, NumPy's arrays."""

from functools import cache
from io import BytesIO
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import requests
from PIL import Image

from u2net_cutout.client.client import CutoutClient
from u2net_cutout.client.errors import Refused, UsageError
from u2net_cutout.client.local_composite import composite as composite_locally
from u2net_cutout.client.png_reading import read_png
from u2net_cutout.client.settings import connect
from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.options import option_text, read_options

Array = npt.NDArray[np.uint8]
Value = str | int | float | bool

ORIENTATION_TAG = 0x0112
# Errors over a picture whose small copy a server would take; TorchServe's own has no code.
TOO_LARGE = ("file_too_large", "resolution_too_high", "response_too_large", None)
# The mode that each of Pillow's is sent in; CMYK in TIFF, the others in PNG.
SENT_AS = {mode: mode for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK")}
SENT_AS |= {"YCbCr": "RGB", "HSV": "RGB", "RGBX": "RGB", "RGBa": "RGBA", "PA": "RGBA", "La": "LA"}


@overload
def remove(
    image: bytes | bytearray,
    *,
    client: CutoutClient | None = ...,
    composite: bool = ...,
    bg_image_file: bytes | None = ...,
    **options: Value,
) -> bytes: ...
@overload
def remove(
    image: Image.Image,
    *,
    client: CutoutClient | None = ...,
    composite: bool = ...,
    bg_image_file: bytes | None = ...,
    **options: Value,
) -> Image.Image: ...
@overload
def remove(
    image: npt.NDArray[Any],
    *,
    client: CutoutClient | None = ...,
    composite: bool = ...,
    bg_image_file: bytes | None = ...,
    **options: Value,
) -> Array: ...
def remove(
    image: bytes | bytearray | Image.Image | npt.NDArray[Any],
    *,
    client: CutoutClient | None = None,
    composite: bool = False,
    bg_image_file: bytes | None = None,
    **options: Value,
) -> bytes | Image.Image | Array:
    """Return a picture's cutout, of the type that the picture has.

    A file's bytes become a file's bytes, by default PNG; a Pillow image one of mode RGBA, an array
    (H, W), (H, W, 3) or (H, W, 4) of uint8, RGB, one of (H, W, 4). With ``channels="alpha"`` they
    are of mode L and (H, W). `client` is by default that of the environment (``U2NET_URL``,
    ``U2NET_KEY``); `options` are the server's. With `composite` only a small copy is sent.

    Raises:
        UsageError: an option or an array is not valid.
        Refused, BadResponse, TryLater, ServerUnusable: as ``CutoutClient.cut_out``.
    """
    if not isinstance(image, bytes | bytearray) and "format" in options:
        raise UsageError("format is for files only: an image or array comes back as one")
    if composite and bg_image_file is not None:
        raise UsageError("composite excludes bg_image_file")
    fields = {"format": "png"} | {name: _text(name, value) for name, value in options.items()}
    file = bytes(image) if isinstance(image, bytes | bytearray) else _as_file(image)
    used = client or _default_client()
    if composite:
        content = composite_locally(used, file, fields).cutout.content
    else:
        _check(fields)
        try:
            content = used.cut_out(file, fields, bg_image_file).content
        except Refused as error:
            if (
                error.code not in TOO_LARGE
                or error.status != requests.codes.request_entity_too_large
            ):
                raise
            words = f"{error}: composite=True sends a small copy"
            raise Refused(words, status=error.status, code=error.code) from error
    if isinstance(image, bytes | bytearray):
        return content
    cutout = read_png(content, "L" if fields.get("channels") == "alpha" else "RGBA")
    return cutout if isinstance(image, Image.Image) else np.array(cutout)


@cache
def _default_client() -> CutoutClient:
    return connect()


def _text(name: str, value: Value) -> str:
    try:
        return option_text(name, value)
    except CutoutError as error:
        raise UsageError(str(error)) from error


def _check(fields: dict[str, str]) -> None:
    try:
        read_options(fields)
    except CutoutError as error:
        raise UsageError(str(error)) from error


def _as_file(image: Image.Image | npt.NDArray[Any]) -> bytes:
    """Write a picture without loss, with its profile and orientation."""
    picture = image if isinstance(image, Image.Image) else _as_image(image)
    if picture.mode not in SENT_AS:
        raise UsageError(f"an image of mode {picture.mode} has no colours: convert it first")
    sent = picture.convert(SENT_AS[picture.mode])
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = picture.getexif().get(ORIENTATION_TAG, 1)
    file = BytesIO()
    sent.save(
        file,
        "TIFF" if sent.mode == "CMYK" else "PNG",
        compress_level=1,
        exif=exif,
        icc_profile=picture.info.get("icc_profile"),
    )
    return file.getvalue()


def _as_image(pixels: npt.NDArray[Any]) -> Image.Image:
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or not pixels.size:
        raise UsageError(
            f"an array must be uint8 and (H, W), (H, W, 3) or (H, W, 4), not {pixels.dtype} "
            f"and {pixels.shape}"
        )
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        raise UsageError(f"an array must have 3 or 4 channels, not {pixels.shape[2]}")
    return Image.fromarray(np.ascontiguousarray(pixels))
