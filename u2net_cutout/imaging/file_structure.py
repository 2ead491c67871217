"""Counts the parts of a picture's file before any decoder sees it. Decodes nothing.

Pillow and the decoders below it read a file piece by piece, some at the price of an object each,
and can't be stopped. A file of nothing but pieces costs them seconds, or gigabytes, that its size
and its pixels don't show.
"""

from collections.abc import Callable, Iterator
from itertools import islice

from u2net_cutout.contract.errors import TooManyParts, UnreadableImage
from u2net_cutout.imaging.gif_blocks import GIF_SIGNATURE, gif_blocks
from u2net_cutout.imaging.jpeg_segments import END, JPEG_SIGNATURE, START_OF_SCAN, jpeg_segments
from u2net_cutout.imaging.pixel_file import File
from u2net_cutout.imaging.png_chunks import PNG_SIGNATURE, png_chunks
from u2net_cutout.imaging.tiff_directory import (
    BIG_ENDIAN_BIG_TIFF,
    BIG_TIFF_SIGNATURES,
    TIFF_SIGNATURES,
    TiffFile,
)
from u2net_cutout.imaging.webp_chunks import WEBP_SIGNATURE, webp_chunks

STRIP_OFFSETS, TILE_OFFSETS = 273, 324

# A progressive JPEG repeats its whole picture in every scan. Cameras and encoders write about ten;
# a small file with thousands would keep the decoder busy for minutes, and it can't be stopped.
MAX_JPEG_SCANS = 64


def check_structure(data: File, max_parts: int) -> None:
    """Refuse a file of too many parts; what is no picture, or broken, is left to the decoders.

    Raises:
        TooManyParts: it has more than `max_parts`.
        UnreadableImage: a JPEG with more scans than any camera writes.
    """
    for signatures, parts in _READERS.items():
        if data.startswith(signatures) and any(True for _ in islice(parts(data), max_parts, None)):
            raise TooManyParts(f"the file has more than {max_parts} parts")


def _jpeg_parts(data: File) -> Iterator[None]:
    scans = 0
    for marker in (marker for marker, _, _ in jpeg_segments(data) if marker != END):
        scans += marker == START_OF_SCAN
        if scans > MAX_JPEG_SCANS:
            raise UnreadableImage("the JPEG has more scans than any camera writes")
        yield


def _tiff_parts(data: File) -> Iterator[None]:
    """Yield for each tag of the first directory, and for the strips or tiles that they promise."""
    layouts = {data.startswith(BIG_TIFF_SIGNATURES)}
    if data.startswith(BIG_ENDIAN_BIG_TIFF):
        layouts.add(False)  # so Pillow reads it, and libtiff as BigTIFF
    for big in layouts:
        file = TiffFile(data, big)
        for entry in file.entries(file.first()):
            yield
            if entry.tag in (STRIP_OFFSETS, TILE_OFFSETS):
                # So many offsets have to be there, at 2 bytes or more each.
                yield from (None for _ in range(min(entry.count, len(data) // 2)))


_READERS: dict[bytes | tuple[bytes, ...], Callable[[File], Iterator[object]]] = {
    JPEG_SIGNATURE: _jpeg_parts,
    PNG_SIGNATURE: png_chunks,
    GIF_SIGNATURE: gif_blocks,
    TIFF_SIGNATURES: _tiff_parts,
    WEBP_SIGNATURE: webp_chunks,
}
