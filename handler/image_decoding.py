"""From a file's bytes to an upright picture. Knows Pillow; knows no request and no network."""

import struct
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError

from cutout_errors import FileTooLarge, InvalidFileType, ResolutionTooHigh, UnreadableImage
from cutout_limits import Limits

# Only these decoders ever see foreign bytes; Pillow knows many more (EPS would start Ghostscript).
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")
HEIF_FORMAT = "HEIF"

# How files of these kinds begin. Pillow can't tell a broken one from a file of another kind.
SIGNATURES = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"RIFF",
    b"II*\x00",
    b"MM\x00*",
)

# What Pillow's decoders raise on broken files, besides OSError.
BROKEN_FILE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
    Image.DecompressionBombError,
)


def register_heif() -> bool:
    """Teach Pillow to read HEIC where ``pillow-heif`` is installed; say whether it is."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def decode_image(data: bytes | bytearray, limits: Limits) -> Image.Image:
    """Read a picture, turned upright by its EXIF orientation: mode RGB, or RGBA if it has alpha.

    Of an animation, the first frame. Size limits are checked on the header, before any pixel is
    decoded.

    Raises:
        FileTooLarge, ResolutionTooHigh: over a limit.
        InvalidFileType: not a picture of a kind that is read here.
        UnreadableImage: it is one, and broken or truncated.
    """
    if len(data) > limits.max_file_bytes:
        raise FileTooLarge(
            f"the picture has {len(data)} bytes; the limit is {limits.max_file_bytes}"
        )
    try:
        with _open(data) as image:
            if image.width * image.height > limits.max_pixels:
                raise ResolutionTooHigh(
                    f"the picture has {image.width} x {image.height} pixels; the limit is "
                    f"{limits.max_pixels} in all"
                )
            image.load()
            return _to_rgb(_upright(image))
    except BROKEN_FILE_ERRORS as error:
        raise UnreadableImage("the picture is broken or cut short") from error


def _open(data: bytes | bytearray) -> Image.Image:
    formats = (*FORMATS, HEIF_FORMAT) if HEIF_FORMAT in Image.OPEN else FORMATS
    try:
        return Image.open(BytesIO(data), formats=formats)
    except UnidentifiedImageError as error:
        if data.startswith(SIGNATURES):
            raise UnreadableImage("the picture's first bytes are broken or cut short") from error
        raise InvalidFileType(f"the file is none of {', '.join(formats)}") from error
    except Image.DecompressionBombError as error:
        raise ResolutionTooHigh("the picture has far too many pixels") from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except BROKEN_FILE_ERRORS:
        # The pixels are fine; metadata that can't be read turns nothing.
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16-bit grey: Pillow's own conversion clips at 255 instead of scaling.
        image = image.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
