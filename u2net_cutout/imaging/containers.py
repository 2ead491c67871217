"""Which format a file has, and what its decoder is given of it. Decodes nothing."""

from io import BytesIO

from u2net_cutout.imaging.gif_blocks import GIF_SIGNATURE, read_gif
from u2net_cutout.imaging.isobmff_boxes import FILE_TYPE, FILE_TYPE_AT, read_isobmff
from u2net_cutout.imaging.jpeg_segments import JPEG_SIGNATURE, read_jpeg
from u2net_cutout.imaging.pixel_file import File, PixelFile, Reader
from u2net_cutout.imaging.png_chunks import PNG_SIGNATURE, read_png
from u2net_cutout.imaging.tiff_directory import TIFF_SIGNATURES
from u2net_cutout.imaging.tiff_tags import read_tiff
from u2net_cutout.imaging.webp_chunks import WEBP_SIGNATURE, read_webp

_READERS: dict[bytes | tuple[bytes, ...], Reader] = {
    JPEG_SIGNATURE: read_jpeg,
    PNG_SIGNATURE: read_png,
    GIF_SIGNATURE: read_gif,
    TIFF_SIGNATURES: read_tiff,
    WEBP_SIGNATURE: read_webp,
}


def read_container(data: File, max_metadata_bytes: int) -> PixelFile:
    """Return a file as its decoder needs it; what is of no known format, as it is.

    Raises:
        UnreadableImage: it ends too early, or points beyond its end.
    """
    if data.startswith(FILE_TYPE, FILE_TYPE_AT):
        return read_isobmff(data, max_metadata_bytes)
    for signatures, read in _READERS.items():
        if data.startswith(signatures):
            return read(data, max_metadata_bytes)
    return PixelFile(BytesIO(data))
