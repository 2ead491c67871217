"""Builds the parts of files: PNG chunks, JPEG segments, TIFF directories."""

import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_HEADER_END = 33


def encoded(picture: Image.Image, file_format: str, **options: Any) -> bytes:
    """Return a picture as a file."""
    buffer = BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a PNG chunk with a right checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, pixels: bytes, *extra: bytes, depth: int = 8, kind: int = 2
) -> bytes:
    """Return a PNG whose rows are `pixels`, compressed; they need not match the header."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(pixels, 9))
    return b"".join([PNG_SIGNATURE, chunk(b"IHDR", header), *extra, data, chunk(b"IEND", b"")])


def segment(marker: int, data: bytes) -> bytes:
    """Return a JPEG segment."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Return a JPEG with segments right after its start."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def directory(
    entries: Sequence[tuple[int, int, int, int | bytes]],
    tail: bytes = b"",
    *,
    order: str = "<",
    following: int = 0,
) -> bytes:
    """Return a TIFF file, or EXIF, of one directory: tag, type, count, and value or offset.

    The offset of the tail is ``tail_of(len(entries))``.
    """
    mark = b"II*\0" if order == "<" else b"MM\0*"
    out = [mark, struct.pack(order + "IH", 8, len(entries) & 0xFFFF)]
    for tag, kind, count, value in entries:
        held = value if isinstance(value, bytes) else struct.pack(order + "I", value)
        out.append(struct.pack(order + "HHI", tag, kind, count) + held[:4].ljust(4, b"\0"))
    return b"".join([*out, struct.pack(order + "I", following), tail])


def tail_of(entries: int) -> int:
    """Return where what follows a directory of so many entries begins."""
    return 8 + 2 + 12 * entries + 4


def tiff(width: int, height: int, pixels: bytes, **fields: int) -> bytes:
    """Return a grey TIFF of one strip; `fields` are other values of its tags, by name."""
    value = {"compression": 1, "rows": height, "bits": 8, "samples": 1, "photometric": 1} | fields
    tiled = "tile_width" in value
    where, length = (324, 325) if tiled else (273, 279)
    tags = {
        256: width,
        257: height,
        258: value["bits"],
        259: value["compression"],
        262: value["photometric"],
        277: value["samples"],
    }
    tags |= {322: value["tile_width"], 323: value["tile_length"]} if tiled else {278: value["rows"]}
    tags |= {where: tail_of(len(tags) + 2), length: value.get("length", len(pixels))}
    return directory([(tag, 4, 1, tags[tag]) for tag in sorted(tags)], pixels)
