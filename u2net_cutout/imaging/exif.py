"""What EXIF says of how a picture is shown: its orientation and its colours.

Pillow stops at the first entry that it can't read, and forgets those behind it. Here each is read
alone. Format: Exif 2.32 (CIPA DC-008), 4.6; DCF 2.0 (CIPA DC-009) for the colours.
"""

import re
import struct

ORIENTATION, EXIF_DIRECTORY = 0x0112, 0x8769
INTEROPERABILITY_DIRECTORY, INTEROPERABILITY_INDEX = 0xA005, 0x0001
ADOBE_RGB = b"R03"
UPRIGHT, ORIENTATIONS = 1, range(1, 9)

# JPEG and some other formats put a name before it, some writers twice.
HEAD = re.compile(rb"(?:Exif\0\0){0,2}(?=II\*\0|MM\0\*)")
# SHORT and LONG, as `struct` calls them.
FORMS = {3: "H", 4: "I"}
ENTRY_BYTES = 12

# Of each tag its type, the number of its values, and those, or where they lie.
Directory = dict[int, tuple[int, int, bytes]]


def find_orientation(exif: bytes) -> int:
    """Return how the stored rows and columns lie, 1 to 8; 1, upright, if it says nothing."""
    tiff, order = _tiff(exif)
    orientation = _number(_first_directory(tiff, order), ORIENTATION, order)
    return orientation if orientation in ORIENTATIONS else UPRIGHT


def is_adobe_rgb(exif: bytes) -> bool:
    """Say whether a camera marked its picture as Adobe RGB."""
    tiff, order = _tiff(exif)
    directory = _first_directory(tiff, order)
    for pointer in (EXIF_DIRECTORY, INTEROPERABILITY_DIRECTORY):
        directory = _directory(tiff, order, _number(directory, pointer, order))
    index = directory.get(INTEROPERABILITY_INDEX)
    return index is not None and index[2].startswith(ADOBE_RGB)


def _tiff(exif: bytes) -> tuple[bytes, str]:
    """Return EXIF from where its offsets count, and its byte order."""
    head = HEAD.match(exif)
    tiff = exif[head.end() :] if head else b""
    return tiff, ">" if tiff.startswith(b"M") else "<"


def _first_directory(tiff: bytes, order: str) -> Directory:
    return _directory(tiff, order, int.from_bytes(tiff[4:8], "big" if order == ">" else "little"))


def _directory(tiff: bytes, order: str, at: int) -> Directory:
    """Return the entries of a directory, as many as there are; none at 0, where the header is."""
    entries: Directory = {}
    if at and at + 2 <= len(tiff):
        (count,) = struct.unpack_from(order + "H", tiff, at)
        last = min(at + 2 + count * ENTRY_BYTES, len(tiff) - ENTRY_BYTES + 1)
        for place in range(at + 2, last, ENTRY_BYTES):
            tag, kind, number, value = struct.unpack_from(order + "HHI4s", tiff, place)
            entries.setdefault(tag, (kind, number, value))
    return entries


def _number(directory: Directory, tag: int, order: str) -> int:
    """Return the only number of an entry; 0 if it has none, or several."""
    if tag in directory:
        kind, count, value = directory[tag]
        if count == 1 and kind in FORMS:
            (number,) = struct.unpack_from(order + FORMS[kind], value)
            return int(number)
    return 0
