"""Counts the parts of a picture's file before any decoder sees it. Decodes nothing.

Pillow and the decoders below it read a file piece by piece, some at the price of an object each,
and can't be stopped. A file of nothing but pieces costs them seconds, or gigabytes, that its size
and its pixels don't show.
"""

import re
import struct
from collections.abc import Callable, Iterator
from itertools import islice

from u2net_cutout.contract.errors import TooManyParts, UnreadableImage
from u2net_cutout.imaging.tiff_directory import BIG_TIFF, TiffFile

File = bytes | bytearray

JPEG_SIGNATURE = b"\xff\xd8\xff"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GIF_SIGNATURE = b"GIF8"
# Those that Pillow takes for TIFF, the misspelt ones and BigTIFF included.
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+")

# A progressive JPEG repeats its whole picture in every scan. Cameras and encoders write about ten;
# a small file with thousands would keep the decoder busy for minutes, and it can't be stopped.
MAX_JPEG_SCANS = 64
# The next marker after a scan's data, in which 0xff is followed by 0 or a restart marker.
JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
JPEG_START_OF_SCAN, JPEG_END = 0xDA, 0xD9

GIF_EXTENSION, GIF_IMAGE, GIF_END = b"!,;"
GIF_HEADER_BYTES = 13
GIF_PALETTE_FLAG, GIF_PALETTE_BITS = 0x80, 0x07

STRIP_OFFSETS, TILE_OFFSETS = 273, 324


def check_structure(data: File, max_parts: int) -> None:
    """Refuse a file of too many parts; what is no picture, or broken, is left to the decoders.

    Raises:
        TooManyParts: it has more than `max_parts`.
        UnreadableImage: a JPEG with more scans than any camera writes.
    """
    for signatures, parts in _READERS.items():
        if data.startswith(signatures) and sum(1 for _ in islice(parts(data), max_parts + 1)) > (
            max_parts
        ):
            raise TooManyParts(f"the file has more than {max_parts} parts")


def _jpeg_segments(data: File) -> Iterator[None]:
    """Walk from marker to marker, past the contents of each segment, to the end of the picture."""
    scans = 0
    found = JPEG_MARKER.search(data, 2)
    while found and data[found.end() - 1] != JPEG_END:
        scans += data[found.end() - 1] == JPEG_START_OF_SCAN
        if scans > MAX_JPEG_SCANS:
            raise UnreadableImage("the JPEG has more scans than any camera writes")
        yield
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        found = JPEG_MARKER.search(data, found.end() + length)


def png_chunks(data: File) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk of a PNG; the last one may end beyond the file."""
    start, kind = len(PNG_SIGNATURE), b""
    while kind != b"IEND" and start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + length + 12
        yield kind, start, end
        start = end


def _gif_blocks(data: File) -> Iterator[None]:
    """Walk through what precedes the first image: extensions, in blocks of up to 255 bytes."""
    at = GIF_HEADER_BYTES
    if len(data) > at and data[10] & GIF_PALETTE_FLAG:
        at += 3 << (data[10] & GIF_PALETTE_BITS) + 1
    while at < len(data) and data[at] not in (GIF_IMAGE, GIF_END):
        yield
        if data[at] != GIF_EXTENSION:  # Pillow looks for a block that it knows
            at += 1
            continue
        at += 2
        while at < len(data) and data[at]:
            yield
            at += data[at] + 1
        at += 1


def _tiff_parts(data: File) -> Iterator[None]:
    """Walk through the first directory: its tags, and the strips or tiles that they promise."""
    layouts = {BIG_TIFF in data[2:4]}
    if data.startswith(b"MM\0+"):
        layouts.add(False)  # so Pillow reads it, and libtiff as BigTIFF
    for big in layouts:
        file = TiffFile(data, big)
        for entry in file.entries(file.first()):
            yield
            if entry.tag in (STRIP_OFFSETS, TILE_OFFSETS):
                # So many offsets have to be there, at 2 bytes or more each.
                yield from (None for _ in range(min(entry.count, len(data) // 2)))


_READERS: dict[bytes | tuple[bytes, ...], Callable[[File], Iterator[object]]] = {
    JPEG_SIGNATURE: _jpeg_segments,
    PNG_SIGNATURE: png_chunks,
    GIF_SIGNATURE: _gif_blocks,
    TIFF_SIGNATURES: _tiff_parts,
}
