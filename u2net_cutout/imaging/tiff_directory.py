"""The first directory of a TIFF: the tags that its pixels need. Format: TIFF 6.0; BigTIFF.

Pillow stops at the first tag whose values lie beyond the file, and forgets those behind it: what
is left can be another picture.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO

from u2net_cutout.contract.errors import UnreadableImage
from u2net_cutout.imaging.pixel_file import File, PixelFile

# Those that Pillow takes for TIFF, the misspelt ones and BigTIFF included.
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+")
BIG = 43
STRIP_OFFSETS, TILE_OFFSETS = 273, 324

# Size, sample format, compression, palette, and where the pixels lie: TIFF 6.0's, its supplements',
# SGI's depths and LERC's parameters.
NEEDED = frozenset(
    [
        *(256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324),
        *(325, 338, 339, 347, *range(512, 522), 529, 530, 531, 532, 32997, 32998, 50674),
    ]
)
# Orientation and profile, without which a picture is shown if it must be, and what tells raw files
# and those of several pictures from others.
USED = frozenset([254, 255, 274, 330, 33421, 33422, 34675, 48129, 50706])

# Bytes of a value of each type.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}


@dataclass(frozen=True)
class Layout:
    """How a first directory lies in its file; formats as in ``struct``, less the byte order."""

    start_at: int
    pointer: str
    count: str
    entry: str
    sizes: Mapping[int, int]


CLASSIC = Layout(4, "I", "H", "HHI4s", SIZES)
BIG_TIFF = Layout(8, "Q", "Q", "HHQ8s", SIZES | {16: 8, 17: 8, 18: 8})

Tag = tuple[int, int, int, bytes]
"""Its number, type, how many values it has, and those, or where they lie."""


def tiff_tags(data: File, layout: Layout) -> Iterator[Tag]:
    """Yield the tags of a TIFF's first directory, as many as there are."""
    order = byte_order(data)
    entry = struct.Struct(order + layout.entry)
    try:
        (start,) = struct.unpack_from(order + layout.pointer, data, layout.start_at)
        (count,) = struct.unpack_from(order + layout.count, data, start)
        start += struct.calcsize(order + layout.count)
        for number in range(count):
            yield entry.unpack_from(data, start + number * entry.size)
    except (struct.error, OverflowError):  # it is cut short, or points beyond any file
        return


def byte_order(data: File) -> str:
    """Return a TIFF's byte order, as ``struct`` writes it."""
    return "<" if data.startswith(b"II") else ">"


def read_tiff(data: File, _max_metadata_bytes: int) -> PixelFile:
    """Return a TIFF whose first directory has no other tags than its picture needs.

    Raises:
        UnreadableImage: one that it needs is broken, or lies beyond the file.
    """
    file = BytesIO(data)
    if data.startswith(b"MM\0+"):  # Pillow reads its directory as TIFF, and libtiff as BigTIFF
        return PixelFile(file)
    layout, order = BIG_TIFF if BIG in data[2:4] else CLASSIC, byte_order(data)
    tags = list(tiff_tags(data, layout))
    kept = [tag for tag in tags if _is_kept(tag, layout, order, len(data))]
    if len(kept) < len(tags):
        entry = struct.Struct(order + layout.entry)
        (start,) = struct.unpack_from(order + layout.pointer, data, layout.start_at)
        behind = start + struct.calcsize(order + layout.count) + len(tags) * entry.size
        next_directory = data[behind : behind + struct.calcsize(order + layout.pointer)]
        file.seek(start)
        file.write(struct.pack(order + layout.count, len(kept)))
        file.write(b"".join(entry.pack(*tag) for tag in kept))
        file.write(next_directory)
        file.seek(0)
    return PixelFile(file)


def _is_kept(tag: Tag, layout: Layout, order: str, length: int) -> bool:
    number, kind, count, value = tag
    if number not in NEEDED | USED:
        return False
    size = layout.sizes.get(kind, 0) * count
    if size > len(value):
        size += struct.unpack(order + layout.pointer, value)[0]
    else:
        length = len(value)
    sound = 0 < size <= length
    if number in NEEDED and not sound:
        raise UnreadableImage(f"the TIFF's tag {number} is broken, or lies beyond the file's end")
    return sound
