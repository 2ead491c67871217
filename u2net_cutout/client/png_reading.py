"""The pixels of a PNG that a server sent."""

from io import BytesIO

from PIL import Image

from u2net_cutout.client.errors import BadResponse


def read_png(content: bytes, mode: str, size: tuple[int, int] | None = None) -> Image.Image:
    """Return a PNG's pixels in one of Pillow's modes; no other `size` than this is decoded.

    Raises:
        BadResponse: it can't be decoded, or has another size.
    """
    try:
        with Image.open(BytesIO(content), formats=["PNG"]) as opened:
            if size is not None and opened.size != size:
                raise BadResponse(f"the response is a picture of {opened.size} pixels, not {size}")
            return opened.convert(mode)
    except (BadResponse, MemoryError):
        raise
    except Exception as error:  # the decoder raises all kinds of errors over broken files
        raise BadResponse("the response is a PNG that can't be decoded") from error
