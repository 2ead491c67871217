"""The segments of a JPEG: those that its pixels need, its EXIF and its profile.

Format: ITU-T T.81, annex B; JFIF 1.02; Exif 2.32 (CIPA DC-008), 4.5.4; ICC.1:2022, B.4.
"""

import re
from collections.abc import Iterator

from u2net_cutout.imaging.pixel_file import File, PixelFile, joined

JPEG_SIGNATURE = b"\xff\xd8\xff"
# The next marker after a scan's data, in which 0xff is followed by 0 or a restart marker.
JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
START, END, START_OF_SCAN, COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
APPLICATION, EXIF_MARKER, PROFILE_MARKER = range(0xE0, 0xF0), 0xE1, 0xE2
WITHOUT_LENGTH = (START, END, 0x01)

EXIF_HEAD, PROFILE_HEAD = b"Exif\0\0", b"ICC_PROFILE\0"
# What says whether colours are stored as luma and chroma, and the least that it takes to say so.
COLOUR_HEADS = ((0xE0, b"JFIF\0", 14), (0xEE, b"Adobe", 12))


def jpeg_segments(data: File) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment, up to the picture's end marker.

    A scan's segment is its header; its data lie between it and the next marker.
    """
    end = 2
    while found := JPEG_MARKER.search(data, end):
        marker = data[found.end() - 1]
        length = int.from_bytes(data[found.end() : found.end() + 2], "big")
        end = found.end() + (0 if marker in WITHOUT_LENGTH else max(length, 2))
        yield marker, found.start(), end
        if marker == END:
            return


def read_jpeg(data: File, _max_metadata_bytes: int) -> PixelFile:
    """Return a JPEG without comments and applications' segments, but for those of its colours."""
    spans, rest, ignored = [], 0, 0
    exif: list[File] = []
    profile: dict[int, bytes] = {}
    for marker, start, end in jpeg_segments(data):
        if marker == START_OF_SCAN:
            break
        body = data[start + 4 : end]
        if (marker not in APPLICATION and marker != COMMENT) or _is_of_colours(marker, body):
            continue
        if marker == EXIF_MARKER and body.startswith(EXIF_HEAD):
            exif.append(body[len(EXIF_HEAD) if exif else 0 :])
        elif marker == PROFILE_MARKER and body.startswith(PROFILE_HEAD):
            part = bytes(body[len(PROFILE_HEAD) :])
            if len(part) > 1:
                profile.setdefault(part[0], part[1:])
        elif marker in (EXIF_MARKER, COMMENT):  # XMP, and texts
            ignored += len(body)
        spans.append((rest, start))
        rest = end
    info: dict[str, object] = {"exif": b"".join(exif)} if exif else {}
    if whole := _joined_profile(profile):
        info["icc_profile"] = whole
    return PixelFile(joined(b"", data, [*spans, (rest, len(data))]), info, ignored)


def _is_of_colours(marker: int, body: File) -> bool:
    return any(
        marker == its and body.startswith(head) and len(body) >= least
        for its, head, least in COLOUR_HEADS
    )


def _joined_profile(parts: dict[int, bytes]) -> bytes | None:
    """Return the profile of parts, each with the number of them before it; None if one lacks."""
    whole = range(1, len(parts) + 1)
    if not parts or sorted(parts) != list(whole) or parts[1][0] != len(parts):
        return None
    return b"".join(parts[number][1:] for number in whole)
