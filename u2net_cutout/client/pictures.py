"""Pictures as Python has them, to files and back: paths, bytes, Pillow's images, NumPy's arrays."""

import os
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from u2net_cutout.client.errors import UsageError
from u2net_cutout.client.png_reading import read_png
from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.options import option_text, read_options

Array = npt.NDArray[np.uint8]
File = str | os.PathLike[str] | bytes | bytearray
"""A picture's file: its path, or its bytes."""
Picture = File | Image.Image | npt.NDArray[Any]
Value = str | int | float | bool
"""The value of an option."""

ORIENTATION_TAG = 0x0112
# The mode that each of Pillow's is sent in; CMYK in TIFF, the others in PNG.
SENT_AS = {mode: mode for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK")}
SENT_AS |= {"YCbCr": "RGB", "HSV": "RGB", "RGBX": "RGB", "RGBa": "RGBA", "PA": "RGBA", "La": "LA"}


def cut_out_as_given(
    picture: Picture,
    options: Mapping[str, Value],
    cut_out: Callable[[bytes, dict[str, str]], bytes],
) -> bytes | Image.Image | Array:
    """Have a picture cut out as a file, and return the cutout in the form that the picture has.

    `cut_out` takes the file and the options, as text, and returns the cutout's file: PNG, unless
    the options name another format, which they may for files.

    Raises:
        UsageError: an option or an array is not valid.
        OSError: the file of a path can't be read.
    """
    is_file = isinstance(picture, str | os.PathLike | bytes | bytearray)
    if not is_file and "format" in options:
        raise UsageError("format is for files only: an image or array comes back as one")
    fields = {"format": "png"} | {name: _text(name, value) for name, value in options.items()}
    try:
        read_options(fields)
    except CutoutError as error:
        raise UsageError(str(error)) from error
    content = cut_out(as_file(picture), fields)
    if is_file:
        return content
    cutout = read_png(content, "L" if fields.get("channels") == "alpha" else "RGBA")
    return cutout if isinstance(picture, Image.Image) else np.array(cutout)


def as_file(picture: Picture) -> bytes:
    """Return the bytes of a file, or write an image or array into one, without loss.

    Raises:
        UsageError: an image without colours, or an array that is no picture.
        OSError: the file of a path can't be read.
    """
    match picture:
        case bytes() | bytearray():
            return bytes(picture)
        case str() | os.PathLike():
            return Path(picture).read_bytes()
        case Image.Image():
            return _written(picture)
        case np.ndarray():
            return _written(_as_image(picture))
    raise UsageError(
        f"a picture is a path, a file's bytes, a Pillow image or a NumPy array, not {picture!r:.80}"
    )


def _text(name: str, value: Value) -> str:
    try:
        return option_text(name, value)
    except CutoutError as error:
        raise UsageError(str(error)) from error


def _written(picture: Image.Image) -> bytes:
    """Write a picture without loss, with its profile and orientation."""
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
