"""The tags of a TIFF that its pixels need, and those that say how they are shown.

Pillow stops at the first tag whose values lie beyond the file, and forgets those behind it: what
is left can be another picture.
"""

import struct
from io import BytesIO

from u2net_cutout.contract.errors import UnreadableImage
from u2net_cutout.imaging.pixel_file import File, PixelFile
from u2net_cutout.imaging.tiff_directory import BIG_TIFF_SIGNATURES, Entry, TiffFile

# Size, sample format, compression, palette, and where the pixels lie: TIFF 6.0's, its supplements',
# SGI's depths and LERC's parameters.
NEEDED = frozenset(
    [
        *(256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324),
        *(325, 338, 339, 347, *range(512, 522), 529, 530, 531, 532, 32997, 32998, 50674),
    ]
)
# Orientation and profile, without which a picture is shown if it must be; and a tag by which Pillow
# knows what it can't read (HD Photo).
USED = frozenset([274, 34675, 48129])
KEPT = NEEDED.union(USED)

# Bytes of a value of each type.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
BIG_SIZES = SIZES | {16: 8, 17: 8, 18: 8}


def read_tiff(data: File, _max_metadata_bytes: int) -> PixelFile:
    """Return a TIFF whose first directory has no other tags than its picture needs.

    Raises:
        UnreadableImage: one that it needs is broken, or lies beyond the file.
    """
    file = BytesIO(data)
    tiff = TiffFile(data, data.startswith(BIG_TIFF_SIGNATURES))
    start = tiff.first()
    entries = list(tiff.entries(start))
    kept = [entry for entry in entries if _is_kept(entry, tiff)]
    if len(kept) < len(entries):
        count, pointer = ("Q", 8) if tiff.big else ("H", 4)
        behind = tiff.places(start)[: len(entries)].stop
        file.seek(start)
        file.write(struct.pack(tiff.order + count, len(kept)))
        for entry in kept:
            file.write(tiff.packed(entry))
        file.write(data[behind : behind + pointer])
        file.seek(0)
    return PixelFile(file)


def _is_kept(entry: Entry, tiff: TiffFile) -> bool:
    if entry.tag not in KEPT:
        return False
    size = (BIG_SIZES if tiff.big else SIZES).get(entry.kind, 0) * entry.count
    inside = len(entry.held)
    if size > inside:
        size += tiff.place(entry)
        inside = len(tiff.data)
    sound = 0 < size <= inside
    if entry.tag in NEEDED and not sound:
        raise UnreadableImage(
            f"the TIFF's tag {entry.tag} is broken, or lies beyond the file's end"
        )
    return sound
