"""Whether a JPEG without its end marker has all its pixels. Knows Pillow and JPEG's scans.

Cameras and broken uploads leave the marker out. libjpeg fills up what lacks, in silence, be it two
bytes or half a picture. But what lies behind a whole picture changes none of its pixels: so the file
is decoded with several ends, and nothing else lacks if it shows the same with each.
"""

from collections.abc import Iterator
from io import BytesIO

from PIL import Image, ImageChops

from u2net_cutout.contract.errors import UnreadableImage
from u2net_cutout.imaging.jpeg_segments import START_OF_SCAN, jpeg_segments
from u2net_cutout.imaging.pixel_file import CUT_SHORT

END_MARKER = b"\xff\xd9"
# What the decoder takes for the next pixels where there are none: each begins with another bit, and
# no code of a flat picture goes on like both. Without any, it takes zeros.
ENDS = (b"", b"\x55" * 1024, b"\xaa" * 1024)
# As many zeros at the end of a file are room that was never written, not pixels.
PADDING_BYTES = 8

COEFFICIENTS = 64
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def load_without_end(file: bytes) -> Image.Image:
    """Decode a JPEG that has no end marker.

    Raises:
        UnreadableImage: it lacks more than that.
    """
    body = _without_padding(file)
    if not _has_all_scans(body):
        raise UnreadableImage(CUT_SHORT)
    first, *others = (_decoded(body + end + END_MARKER) for end in ENDS)
    if any(ImageChops.difference(first, other).getbbox() for other in others):
        raise UnreadableImage(CUT_SHORT)
    return first


def _decoded(file: bytes) -> Image.Image:
    picture = Image.open(BytesIO(file), formats=("JPEG",))
    picture.load()
    return picture


def _without_padding(file: bytes) -> bytes:
    """Return a file without zeros at its end, and without half a marker."""
    body = file.rstrip(b"\0")
    if len(file) - len(body) < PADDING_BYTES:
        body = file
    elif body.endswith(b"\xff"):
        return body + b"\0"  # a pixel's 0xff is always followed by one
    return body.rstrip(b"\xff")


def _has_all_scans(file: bytes) -> bool:
    """Say whether each coefficient of each component was sent to its last bit (T.81, G.1)."""
    lacking: dict[int, set[int]] = {}
    for marker, start, end in jpeg_segments(file):
        body = file[start + 4 : end]
        if marker in FRAMES:
            lacking = {component: set(range(COEFFICIENTS)) for component in body[6::3]}
        elif marker == START_OF_SCAN:
            for component, (first, last, bit) in _scan(body):
                if bit == 0 and component in lacking:
                    lacking[component] -= set(range(first, last + 1))
    return bool(lacking) and not any(lacking.values())


def _scan(body: bytes) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Yield each component of a scan, with its first and last coefficient and its lowest bit."""
    count = body[0] if body else 0
    if len(body) == 4 + 2 * count:
        first, last, bits = body[-3:]
        for component in body[1:-3:2]:
            yield component, (first, last, bits & 0x0F)
