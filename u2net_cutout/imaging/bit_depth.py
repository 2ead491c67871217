"""From a file's own bit depth to 8 bits a channel. Knows what Pillow leaves undone; no colours.

Of 16 bits Pillow keeps the upper byte of colours, and the decoders of AVIF and HEIC scale theirs.
Here is the rest: grey, which Pillow clips, planes and clear levels, which it misreads.
"""

from PIL import Image

PHOTOMETRIC_TAG = 0x0106
WHITE_IS_ZERO = 0
BITS_TAG = 0x0102

# What a level of PNG's smallest greys is of 255, by Pillow's name of how they lie in the file.
SMALL_GREYS = {"L;2": 85, "L;4": 17}
LEVELS = range(1 << 16)


def stored_as(image: Image.Image) -> str:
    """Return Pillow's name of how an opened picture's levels lie in the file, such as RGB;16B."""
    tiles = getattr(image, "tile", ())
    arguments = tiles[0].args if tiles else ""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def find_planes(image: Image.Image) -> None:
    """Tell an opened TIFF's decoder that its separate planes have 16 bits: it takes them for 8."""
    bits = getattr(image, "tag_v2", {}).get(BITS_TAG, ())
    if bits and bits[0] == 16 and len(stored_as(image)) == 1:
        order = "B" if image.tag_v2.prefix == b"MM" else "L"  # type: ignore[attr-defined]
        image.tile = [  # type: ignore[attr-defined]
            tile._replace(args=(f"{tile.args[0]};16{order}", *tile.args[1:]))
            for tile in image.tile  # type: ignore[attr-defined]
        ]


def to_bytes(image: Image.Image, stored: str) -> Image.Image:
    """Return a decoded picture with 8 bits a channel; `stored` is from before it was decoded.

    Grey is rounded, 65535 to 255; colours have their upper byte, so that they are right to less
    than one level, too. PNG's clear level or colour (tRNS) is written in the file's own bits.
    """
    clear = image.info.get("transparency")
    if image.mode.startswith("I"):
        return _grey_to_bytes(image, clear)
    if isinstance(clear, int) and stored in SMALL_GREYS:
        image.info["transparency"] = clear * SMALL_GREYS[stored]
    elif isinstance(clear, tuple) and ";16" in stored:
        image.info["transparency"] = tuple(level >> 8 for level in clear)
    return image


def _grey_to_bytes(image: Image.Image, clear: object) -> Image.Image:
    levels = image.convert("I")
    scaled = [round(level / 257) for level in LEVELS]
    if getattr(image, "tag_v2", {}).get(PHOTOMETRIC_TAG) == WHITE_IS_ZERO:
        scaled.reverse()  # Pillow does that itself for 8 bits only
    grey = levels.point(scaled, "L")
    if not isinstance(clear, int):
        return grey
    seen = levels.point([0 if level == clear else 255 for level in LEVELS], "L")
    return Image.merge("LA", (grey, seen))
