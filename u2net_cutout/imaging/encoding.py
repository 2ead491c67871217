"""From a picture to the bytes of a file. Knows Pillow; knows no request and no server."""

import zipfile
from collections.abc import Mapping
from io import BytesIO
from types import MappingProxyType

from PIL import Image, ImageFilter

from u2net_cutout.contract.formats import LOSSLESS, OutputFormat
from u2net_cutout.imaging.compositing import (
    clear_transparent,
    flatten,
    is_transparent,
    where_seen,
)
from u2net_cutout.imaging.png_writer import encode_png

# The fastest; higher ones take several times as long for a few percent.
WEBP_METHOD = 0
WEBP_LOSSLESS_EFFORT = 0
JPEG_QUALITY = 90
# Pixels along a side of what JPEG encodes together, its colours being halved.
JPEG_BLOCK = 16

# What a zip says of its members' age; the same cutout gives the same bytes.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


# The longest side that the encoder takes; the others take whatever fits into memory.
MAX_SIDE: Mapping[OutputFormat, int] = MappingProxyType(
    {OutputFormat.WEBP: 16_383, OutputFormat.JPG: 65_500, OutputFormat.ZIP: 65_500}
)


def resolve(output_format: OutputFormat, picture: Image.Image) -> OutputFormat:
    """Return the format that `auto` stands for: JPEG, but PNG for a matte or transparency."""
    if output_format is not OutputFormat.AUTO:
        return output_format
    has_alpha = picture.mode == "L" or is_transparent(picture)
    return OutputFormat.PNG if has_alpha else OutputFormat.JPG


def encode(
    picture: Image.Image, output_format: OutputFormat, quality: int | str | None = None
) -> bytes:
    """Write a cutout (mode RGBA), a picture (RGB) or a matte (L) in any format but ``auto``.

    Raw is the pixels themselves, row by row, 4 bytes each (a matte's 1), colours untouched even
    where alpha is 0. The encoded formats hold the same, but black where alpha is 0, since it is
    invisible and costs bytes. JPEG, which has no alpha, lies on white. In a zip, ``color.jpg`` has
    the subject's colours and ``alpha.png`` their alpha.
    """
    match output_format:
        case OutputFormat.RGBA:
            return (picture.convert("RGBA") if picture.mode == "RGB" else picture).tobytes()
        case OutputFormat.PNG:
            return encode_png(picture)
        case OutputFormat.WEBP:
            return _webp(picture, quality)
        case OutputFormat.JPG:
            return _jpeg(flatten(picture) if picture.mode == "RGBA" else picture, quality)
        case OutputFormat.ZIP:
            return _zip(picture, quality)
        case OutputFormat.AUTO:
            raise ValueError("auto is no format of its own: see resolve")


def _webp(picture: Image.Image, quality: int | str | None) -> bytes:
    buffer = BytesIO()
    lossless = quality in (None, LOSSLESS)
    strength = WEBP_LOSSLESS_EFFORT if lossless else quality
    if picture.mode == "RGBA":
        if not is_transparent(picture):
            picture = picture.convert("RGB")
        elif not lossless:  # there the encoder blackens what is hidden by itself
            picture = clear_transparent(picture)
    picture.save(buffer, "WEBP", method=WEBP_METHOD, lossless=lossless, quality=strength)
    return buffer.getvalue()


def _jpeg(picture: Image.Image, quality: int | str | None) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY if quality is None else quality)
    return buffer.getvalue()


def _zip(picture: Image.Image, quality: int | str | None) -> bytes:
    cutout = picture.convert("RGBA")
    members = {
        "color.jpg": _jpeg(_continued(cutout), quality),
        "alpha.png": encode_png(cutout.getchannel("A")),
    }
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as packed:
        for name, content in members.items():
            packed.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), content)
    return buffer.getvalue()


def _continued(cutout: Image.Image) -> Image.Image:
    """Return an RGBA picture's colours, mode RGB, the edge's carried on into what is hidden.

    JPEG smears colours within its blocks: what lies beside the edge comes to lie in it.
    """
    # Blurred with its colours weighed by alpha, a cutout grows beyond its edge.
    grown = cutout.convert("RGBa").filter(ImageFilter.BoxBlur(JPEG_BLOCK)).convert("RGBA")
    return Image.composite(cutout, grown, where_seen(cutout)).convert("RGB")
