"""From a picture to the bytes of an answer. Knows Pillow; knows no request and no server."""

from enum import Enum
from io import BytesIO

from PIL import Image

# zlib's fastest: a quarter of the default's time for a sixth more bytes.
PNG_COMPRESS_LEVEL = 1


class OutputFormat(Enum):
    """How a cutout is written; the value is the option's."""

    RGBA = "rgba"
    PNG = "png"

    @property
    def content_type(self) -> str:
        """The media type of the answer."""
        return CONTENT_TYPES[self]


CONTENT_TYPES = {
    OutputFormat.RGBA: "application/octet-stream",
    OutputFormat.PNG: "image/png",
}


def encode(picture: Image.Image, output_format: OutputFormat) -> bytes:
    """Write a picture.

    RGBA is the pixels themselves, row by row, 4 bytes each, colours untouched even where alpha is
    0. PNG holds the same, but black where alpha is 0, since nobody sees it and it costs bytes.
    """
    if output_format is OutputFormat.RGBA:
        return picture.convert("RGBA").tobytes()
    if picture.mode == "RGBA":
        picture = clear_transparent(picture)
    buffer = BytesIO()
    picture.save(buffer, "PNG", compress_level=PNG_COMPRESS_LEVEL)
    return buffer.getvalue()


def raw_size(picture: Image.Image) -> int:
    """Return how many bytes a picture has as raw RGBA."""
    return picture.width * picture.height * 4


def clear_transparent(cutout: Image.Image) -> Image.Image:
    """Return an RGBA picture with black, transparent pixels wherever alpha is 0."""
    seen = cutout.getchannel("A").point(lambda alpha: 255 if alpha else 0)
    cleared = Image.new("RGBA", cutout.size)
    cleared.paste(cutout, mask=seen)
    return cleared
