"""Whether a JPEG without its end marker has all its pixels. Knows Pillow and JPEG's scans.

Cameras and broken uploads leave the marker out. libjpeg fills up what lacks, in silence, be it two
bytes or half a picture. But what lies behind a whole picture changes none of its pixels: the file
is decoded with two ends, and nothing else lacks if it shows the same with both.
"""

from collections.abc import Iterator
from io import BytesIO

from PIL import Image, ImageChops

from u2net_cutout.contract.errors import UnreadableImage
from u2net_cutout.imaging.jpeg_segments import END, START_OF_SCAN, jpeg_segments
from u2net_cutout.imaging.pixel_file import CUT_SHORT

END_MARKER = b"\xff\xd9"
# The decoder takes it for the next pixels where some are to come. Without, it takes zeros: the
# first bit differs, and with it what it stands for.
FILLING = b"\xaa" * 1024
RESTARTS = range(0xD0, 0xD8)
# As many zeros at the end of a file may be room that was never written, and no pixels.
PADDING_BYTES = 3
TABLES, CODE_LENGTHS = 0xC4, 16

COEFFICIENTS = 64
# All are decoded twice here, so half of those that a JPEG with an end may have.
MAX_SCANS = 32
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def has_end(file: bytes) -> bool:
    """Say whether a JPEG has its end marker; what follows it does not matter."""
    if file.rstrip(b"\0").endswith(END_MARKER):
        return True
    return any(marker == END for marker, _, _ in jpeg_segments(file))


def load_without_end(file: bytes) -> Image.Image:
    """Decode a JPEG that has no end marker.

    Raises:
        UnreadableImage: it lacks more than that.
    """
    body = file.rstrip(b"\xff")  # half of the marker
    unpadded = _without_padding(body)
    picture = _whole(unpadded)
    if picture is None and len(unpadded) < len(body) and _zeros_are_flat(body):
        # A flat picture ends in zeros, which are all its own if two less are too few.
        picture = _whole(body) if _whole(body[:-2]) is None else None
    if picture is None:
        raise UnreadableImage(CUT_SHORT)
    return picture


def _without_padding(body: bytes) -> bytes:
    unpadded = body.rstrip(b"\0")
    if len(body) - len(unpadded) < PADDING_BYTES:
        return body
    return unpadded + b"\0" if unpadded.endswith(b"\xff") else unpadded  # a pixel's 0xff has one


def _zeros_are_flat(body: bytes) -> bool:
    """Say whether the code of nothing but zeros is "as before" in all tables (T.81, B.2.4.2)."""
    first = []
    for marker, start, end in jpeg_segments(body):
        at = start + 4
        while marker == TABLES and at + 1 + CODE_LENGTHS < min(end, len(body)):
            first.append(body[at + 1 + CODE_LENGTHS])
            at += 1 + CODE_LENGTHS + sum(body[at + 1 : at + 1 + CODE_LENGTHS])
    return bool(first) and not any(first)


def _whole(body: bytes) -> Image.Image | None:
    """Decode a JPEG without its end marker; None if it lacks more than that."""
    if not _has_all_scans(body):
        return None
    picture = _decoded(body)
    other = _decoded(body + FILLING + _next_restart(body) + FILLING)
    return None if ImageChops.difference(picture, other).getbbox() else picture


def _next_restart(body: bytes) -> bytes:
    """Return the marker that pixels go on behind where they are sent in groups, numbered 0 to 7."""
    scan = body.rindex(bytes([0xFF, START_OF_SCAN]))
    _, last = max((body.rfind(bytes([0xFF, number]), scan), number) for number in RESTARTS)
    following = last + 1 if last + 1 in RESTARTS else RESTARTS[0]
    return bytes([0xFF, following])


def _decoded(body: bytes) -> Image.Image:
    picture = Image.open(BytesIO(body + END_MARKER), formats=("JPEG",))
    picture.load()
    return picture


def _has_all_scans(file: bytes) -> bool:
    """Say whether each coefficient of each component was sent to its last bit (T.81, G.1)."""
    lacking: dict[int, set[int]] = {}
    scans = 0
    for marker, start, end in jpeg_segments(file):
        body = file[start + 4 : end]
        if marker in FRAMES:
            lacking = {component: set(range(COEFFICIENTS)) for component in body[6::3]}
        elif marker == START_OF_SCAN:
            scans += 1
            for component, (first, last, bit) in _scan(body):
                if bit == 0 and component in lacking:
                    lacking[component] -= set(range(first, last + 1))
    return bool(lacking) and not any(lacking.values()) and scans <= MAX_SCANS


def _scan(body: bytes) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Yield each component of a scan, with its first and last coefficient and its lowest bit."""
    if body and len(body) == 4 + 2 * body[0]:
        first, last, bits = body[-3:]
        for component in body[1:-3:2]:
            yield component, (first, last, bits & 0x0F)
