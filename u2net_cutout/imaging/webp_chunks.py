"""The chunks of a WebP: those that its pixels need, its EXIF and its profile.

Format: https://developers.google.com/speed/webp/docs/riff_container.
"""

import struct
from collections.abc import Iterator
from io import BytesIO

from u2net_cutout.contract.errors import UnreadableImage
from u2net_cutout.imaging.pixel_file import CUT_SHORT, File, PixelFile

WEBP_SIGNATURE, KIND_AT, KIND = b"RIFF", 8, b"WEBP"
HEAD_BYTES, FIRST_CHUNK = 8, 12
FEATURES, STILLS, FRAME = b"VP8X", (b"VP8 ", b"VP8L"), b"ANMF"
BEFORE_PIXELS = (b"ANIM", b"ALPH")
STILL_CHUNKS = BEFORE_PIXELS + STILLS
METADATA = {b"ICCP": "icc_profile", b"EXIF": "exif", b"XMP ": "xmp"}
# The flags of VP8X without those of ICCP, EXIF and XMP, and those that mean nothing: of alpha, and
# of animation.
STILL_FLAGS, MOVING_FLAGS = 0x10, 0x12


def webp_chunks(data: File) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk; the last one may end beyond the file."""
    start = FIRST_CHUNK if data.startswith(KIND, KIND_AT) else len(data)
    while start + HEAD_BYTES <= len(data):
        kind, length = struct.unpack_from("<4sI", data, start)
        end = start + HEAD_BYTES + length
        yield kind, start, end
        start = end + length % 2


def read_webp(data: File, _max_metadata_bytes: int) -> PixelFile:
    """Return the picture or the frames of a WebP, and its metadata. It need not end behind them.

    Raises:
        UnreadableImage: the file ends before they do.
    """
    view = memoryview(data)
    features = b""
    needed: list[memoryview | bytes] = []
    info: dict[str, object] = {}
    still = moving = cut = False
    for kind, start, end in webp_chunks(data):
        cut = end > len(data)
        if cut:
            break
        if kind in METADATA:
            info.setdefault(METADATA[kind], bytes(view[start + HEAD_BYTES : end]))
        elif kind == FEATURES:
            features = features or bytes(view[start:end])
        elif kind == FRAME or (not still and kind in (BEFORE_PIXELS if moving else STILL_CHUNKS)):
            needed += [view[start:end], bytes((end - start) % 2)]
            still, moving = still or kind in STILLS, moving or kind == FRAME
    if still or moving:
        features = _with_flags_of_pixels(features, moving)
        length = len(KIND) + len(features) + sum(len(part) for part in needed)
        head = struct.pack("<4sI4s", WEBP_SIGNATURE, length, KIND)
        return PixelFile(BytesIO(b"".join([head, features, *needed])), info)
    if cut:
        raise UnreadableImage(CUT_SHORT)
    return PixelFile(BytesIO(data))


def _with_flags_of_pixels(features: bytes, moving: bool) -> bytes:
    flags = MOVING_FLAGS if moving else STILL_FLAGS
    changed = bytearray(features)
    changed[HEAD_BYTES : HEAD_BYTES + 1] = (each & flags for each in features[HEAD_BYTES:][:1])
    return bytes(changed)
