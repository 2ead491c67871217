"""Files whose headers give another size than their pixels have."""

import re
import struct
from collections.abc import Callable, Iterator

from tests.hostile.files.samples import samples

SIDES = (0, 1, 2, 63, 7000, 16_383, 30_000, 65_535, 1 << 24, (1 << 31) - 1, (1 << 32) - 1)
JPEG_FRAME = re.compile(rb"\xff[\xc0\xc1\xc2]..\x08", re.DOTALL)


def wrong_headers() -> Iterator[tuple[str, bytes]]:
    """Yield files by name: each field of a size in each format, with each of `SIDES`."""
    for name, data in samples().items():
        for at, layout in _size_fields(name, data):
            for width, height in ((side, other) for side in SIDES for other in (1, 24, side)):
                try:
                    size = struct.pack(layout, width, height)
                except struct.error:  # not in so few bytes
                    continue
                wrong = data[:at] + size + data[at + len(size) :]
                yield f"{name} that claims {width} x {height} at {at}", wrong


def _size_fields(name: str, data: bytes) -> list[tuple[int, str]]:
    """Return the offsets of the sizes, and their struct formats."""
    find = _FIELDS.get(name.partition("-")[0])
    return find(data) if find else []


def _in_boxes(data: bytes) -> list[tuple[int, str]]:
    return [(found.start() + 8, ">II") for found in re.finditer(rb"ispe", data)]


def _in_webp(data: bytes) -> list[tuple[int, str]]:
    kind = data[12:16]
    if kind == b"VP8X":
        return [(24, "<HxH")]  # 24 bits each; the upper byte stays
    return [(26, "<HH")] if kind == b"VP8 " else [(21, "<HH")]


def _in_gif(data: bytes) -> list[tuple[int, str]]:
    return [(6, "<HH"), (data.index(b",") + 5, "<HH")]


def _in_tiff(data: bytes) -> list[tuple[int, str]]:
    """Return the offsets of the tags in the first directory of a classic little-endian file."""
    if not data.startswith(b"II*\0"):
        return []
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    entries = range(start + 2, start + 2 + 12 * count, 12)
    # Two neighbours at once would overlap: the count of a tag, and its value.
    return [(at + 4, "<II") for at in entries]


_FIELDS: dict[str, Callable[[bytes], list[tuple[int, str]]]] = {
    "png": lambda data: [(16, ">II")],
    "jpeg": lambda data: [(found.end(), ">HH") for found in JPEG_FRAME.finditer(data)][:1],
    "mpo": lambda data: [(found.end(), ">HH") for found in JPEG_FRAME.finditer(data)],
    "webp": _in_webp,
    "gif": _in_gif,
    "bmp": lambda data: [(18, "<II")],
    "tiff": _in_tiff,
    "avif": _in_boxes,
    "heic": _in_boxes,
}
