"""The boxes of AVIF and HEIC: which items no pixel needs, and where the file ends.

Orientation, colours and transparency are properties of the picture's item here; what else is said
of it, EXIF and XMP, are items of their own. Format: ISO/IEC 14496-12, 4.2 and 8.11.
"""

import struct
from collections.abc import Iterator
from io import BytesIO
from itertools import islice

from u2net_cutout.imaging.pixel_file import File, PixelFile

FILE_TYPE_AT, FILE_TYPE = 4, b"ftyp"
META, ITEMS, ITEM, PIXELS = b"meta", b"iinf", b"infe", b"mdat"
# What a reader skips, as free space.
METADATA_ITEMS, UNUSED_ITEM = (b"Exif", b"mime"), b"free"
FULL_BOX_BYTES = 4
# Versions 2 and 3 of an item's entry: an identifier of 2 or 4 bytes, one of 2, then its type.
TYPE_AT = {2: 4, 3: 6}
# More than any still picture has are not looked at, in the file or in a box.
MOST_BOXES = 10_000

Box = tuple[bytes, int, int]


def boxes(data: File, start: int, end: int) -> Iterator[Box]:
    """Yield kind of each box, and start and end of its contents, as long as they lie within."""
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        contents, stop = start + 8, start + length
        if length == 0:
            stop = end
        elif length == 1 and start + 16 <= end:
            contents, stop = start + 16, start + struct.unpack_from(">Q", data, start + 8)[0]
        if not contents <= stop <= end:
            return
        yield kind, contents, stop
        start = stop


def read_isobmff(data: File, _max_metadata_bytes: int) -> PixelFile:
    """Return an AVIF or HEIC whose EXIF and XMP are free space, up to its last box."""
    file = BytesIO(data)
    found = list(islice(boxes(data, 0, len(data)), MOST_BOXES))
    places = {kind: (start, end) for kind, start, end in reversed(found)}
    if META in places:
        start, end = places[META]
        for place in _metadata_types(data, start + FULL_BOX_BYTES, end):
            file.seek(place)
            file.write(UNUSED_ITEM)
    if {META, PIXELS} <= places.keys() and len(found) < MOST_BOXES:
        _, _, end = found[-1]
        file.truncate(end)
    file.seek(0)
    return PixelFile(file)


def _metadata_types(data: File, start: int, end: int) -> Iterator[int]:
    """Yield where the types of a ``meta`` box's items of metadata are written."""
    for kind, first, last in islice(boxes(data, start, end), MOST_BOXES):
        if kind == ITEMS and first < last:
            first += FULL_BOX_BYTES + (4 if data[first] else 2)
            for item, contents, stop in islice(boxes(data, first, last), MOST_BOXES):
                if item == ITEM and contents < stop and data[contents] in TYPE_AT:
                    place = contents + FULL_BOX_BYTES + TYPE_AT[data[contents]]
                    if data[place : min(place + 4, stop)] in METADATA_ITEMS:
                        yield place
