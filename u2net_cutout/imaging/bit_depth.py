"""From a file's own bit depth to 8 bits a channel. Knows what Pillow leaves undone; no colours.

Of 16 bits Pillow keeps the upper byte of colours, and the decoders of AVIF and HEIC scale theirs.
Here is the rest: grey, which Pillow clips, planes, floats and clear levels, which it misreads.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImagePalette
from PIL.TiffImagePlugin import OPEN_INFO, ImageFileDirectory_v2

from u2net_cutout.contract.errors import UnsupportedPicture
from u2net_cutout.imaging.tiff_samples import (
    BITS,
    FILL_ORDER,
    INVERTED,
    PHOTOMETRIC,
    PLANAR_CONFIGURATION,
    PLANES,
    SAMPLE_FORMAT,
    SAMPLES_PER_PIXEL,
    UNSIGNED,
)

# What a level of PNG's smallest greys is of 255, by Pillow's name of how they lie in the file.
SMALL_GREYS = {"L;2": 85, "L;4": 17}
# Pillow's name of how PNG's colours of 16 bits lie in the file. Of what it takes for the other byte
# order it keeps the lower bytes.
WIDE_COLOURS, LOWER_BYTES = "RGB;16B", "RGB;16L"
LEVELS = range(1 << 16)
SHORT_LEVELS = 1 << 8
COLOUR_MAP = 320

# How far a float may lie beyond 0 or 1, and round to black or white nevertheless.
HALF_A_LEVEL = 0.5 / 255


def stored_as(image: Image.Image) -> str:
    """Return Pillow's name of how an opened picture's levels lie in the file, such as RGB;16B."""
    tiles = getattr(image, "tile", ())
    arguments = tiles[0].args if tiles else ""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def unpack_rightly(image: Image.Image) -> None:
    """Tell an opened TIFF's decoder how its samples lie, where Pillow takes them for others.

    Planes of 16 bits it takes for 8; a single plane for 8 bits, and never for inverted; floats
    that libtiff has put into the machine's byte order for those of the file's; and any palette for
    one of 16 bits, though some programs write 8 into it, which libtiff's own tools allow for.
    """
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        return
    if image.palette and max(tags[COLOUR_MAP]) < SHORT_LEVELS:
        image.palette = ImagePalette.raw("RGB;L", bytes(tags[COLOUR_MAP]))
    bits, order = tags.get(BITS, (1,)), "B" if tags.prefix == b"MM" else "L"
    for at, tile in enumerate(image.tile):  # type: ignore[attr-defined]
        name, *rest = tile.args
        if tile.codec_name == "libtiff":
            name = "F;32NF" if image.mode == "F" else name
        elif tags.get(PLANAR_CONFIGURATION) == PLANES and tags.get(SAMPLES_PER_PIXEL, 1) == 1:
            name = _name_of_grey(tags)
        elif tags.get(PLANAR_CONFIGURATION) == PLANES and bits[0] == 16:
            name = f"{name};16{order}"
        image.tile[at] = tile._replace(args=(name, *rest))  # type: ignore[attr-defined]


def _name_of_grey(tags: ImageFileDirectory_v2) -> str:
    kind = (tags.get(PHOTOMETRIC, INVERTED), tags.get(SAMPLE_FORMAT, (UNSIGNED,)))
    return OPEN_INFO[(tags.prefix, *kind, tags.get(FILL_ORDER, 1), tags.get(BITS, (1,)), ())][1]


def to_bytes(image: Image.Image, stored: str, reopen: Callable[[], Image.Image]) -> Image.Image:
    """Return a decoded picture with 8 bits a channel; `stored` is from before it was decoded.

    `reopen` opens the same file again, for the lower bytes of a clear colour of 16 bits.

    Grey is rounded, 65535 to 255; colours have their upper byte, so that they are right to less
    than one level, too. Floats are rounded, 1 to 255. PNG's clear level or colour (tRNS) is
    written in the file's own bits.

    Raises:
        UnsupportedPicture: floats below 0 or above 1; only their writer knows what is white.
    """
    clear = image.info.get("transparency")
    if image.mode == "F":
        return _floats_to_bytes(image)
    if image.mode.startswith("I"):
        return _grey_to_bytes(image, clear)
    if isinstance(clear, int) and stored in SMALL_GREYS:
        image.info["transparency"] = clear * SMALL_GREYS[stored]
    elif isinstance(clear, tuple) and stored == WIDE_COLOURS:
        del image.info["transparency"]
        image.putalpha(_alpha_of_clear_colour(image, reopen(), clear))
    return image


def _alpha_of_clear_colour(
    upper: Image.Image, lower: Image.Image, clear: tuple[int, ...]
) -> Image.Image:
    lower.tile = [  # type: ignore[attr-defined]
        tile._replace(args=LOWER_BYTES)
        for tile in lower.tile  # type: ignore[attr-defined]
    ]
    is_clear = np.ones((upper.height, upper.width), bool)
    for channel, level in enumerate(clear):
        is_clear &= np.asarray(upper.getchannel(channel)) == level >> 8
        is_clear &= np.asarray(lower.getchannel(channel)) == level & 0xFF
    return Image.fromarray(np.where(is_clear, np.uint8(0), np.uint8(255)))


def _floats_to_bytes(image: Image.Image) -> Image.Image:
    levels = np.array(image)
    if not ((levels >= -HALF_A_LEVEL) & (levels <= 1 + HALF_A_LEVEL)).all():  # nor is NaN
        raise UnsupportedPicture(
            "the TIFF holds floating-point levels that are not all from 0 to 1; scale them so, or "
            "save it with 8 bits a channel"
        )
    if _is_inverted(image):
        np.subtract(1, levels, out=levels)
    levels *= 255
    return Image.fromarray(levels.round(out=levels).clip(0, 255, out=levels).astype(np.uint8))


def _grey_to_bytes(image: Image.Image, clear: object) -> Image.Image:
    levels = image.convert("I")
    white = (1 << getattr(image, "tag_v2", {}).get(BITS, (16,))[0]) - 1
    scaled = [min(255, round(level * 255 / white)) for level in LEVELS]
    if _is_inverted(image):
        scaled.reverse()  # Pillow does that itself for 8 bits only
    grey = levels.point(scaled, "L")
    if not isinstance(clear, int):
        return grey
    seen = levels.point([0 if level == clear else 255 for level in LEVELS], "L")
    return Image.merge("LA", (grey, seen))


def _is_inverted(image: Image.Image) -> bool:
    return getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == INVERTED
