import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.u2net_cutout.imaging.broken_files import picture, saved, shown
from tests.u2net_cutout.imaging.test_decoding import TURNED
from u2net_cutout.contract.errors import MetadataTooLarge, UnreadableImage
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image
from u2net_cutout.imaging.icc_profile import PRIMARIES, matrix_profile
from u2net_cutout.imaging.jpeg_segments import jpeg_segments, read_jpeg

WHOLE = saved(picture(), "JPEG", quality=95)
PROFILE = matrix_profile(PRIMARIES[12], 2.2) or b""
ROOM = 1 << 20


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def with_segments(*segments: bytes) -> bytes:
    return WHOLE[:2] + b"".join(segments) + WHOLE[2:]


def profile_part(number: int, count: int, part: bytes) -> bytes:
    return segment(0xE2, b"ICC_PROFILE\0" + bytes([number, count]) + part)


def profile_of(*segments: bytes) -> object:
    return read_jpeg(with_segments(*segments), ROOM).info.get("icc_profile")


FIRST, SECOND = profile_part(1, 2, PROFILE[:200]), profile_part(2, 2, PROFILE[200:])


def test_the_parts_of_a_profile_are_joined_by_their_numbers() -> None:
    assert profile_of(FIRST, SECOND) == PROFILE
    assert profile_of(SECOND, FIRST) == PROFILE
    assert profile_of(FIRST, SECOND, profile_part(2, 2, b"again")) == PROFILE


@pytest.mark.parametrize(
    "segments",
    [
        [FIRST],
        [SECOND],
        [FIRST, SECOND, profile_part(3, 2, b"more")],
        [profile_part(0, 1, PROFILE)],
        [profile_part(1, 9, PROFILE)],
        [segment(0xE2, b"ICC_PROFILE\0")],
        [segment(0xE2, b"ICC_PROFILE\0\1")],
    ],
)
def test_a_profile_that_lacks_a_part_is_none(limits: Limits, segments: list[bytes]) -> None:
    assert profile_of(*segments) is None
    assert np.array_equal(np.asarray(decode_image(with_segments(*segments), limits)), shown(WHOLE))


def test_exif_goes_on_in_a_second_segment() -> None:
    exif = b"Exif\0\0" + TURNED + bytes(300)
    first, second = (segment(0xE1, part) for part in (exif[:100], b"Exif\0\0" + exif[100:]))

    assert read_jpeg(with_segments(first, second), ROOM).info["exif"] == exif


@pytest.mark.parametrize(
    "broken",
    [
        segment(0xE0, b"JFIF\0"),
        segment(0xE0, b"JFXX\0\x10" + WHOLE),
        segment(0xED, b"Photoshop 3.0\x008BIM\3\xed"),
        segment(0xEE, b"Adobe\0"),
        segment(0xE2, b"MPF\0MM\0*\xff\xff\xff\xff"),
        segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff"),
        b"\xff\xed\0\0",
        b"\xff\xfe\0\1",
        b"\xff\xff\xff" + segment(0xFE, b"filled"),
    ],
)
def test_a_broken_segment_costs_neither_picture_nor_orientation(
    limits: Limits, broken: bytes
) -> None:
    file = with_segments(broken, segment(0xE1, b"Exif\0\0" + TURNED), broken)

    expected = np.rot90(shown(WHOLE), -1) if b"Exif" not in broken else shown(WHOLE)
    assert np.array_equal(np.asarray(decode_image(file, limits)), expected)


def test_a_thumbnail_that_sticks_out_of_its_segment_is_not_the_picture(limits: Limits) -> None:
    thumbnail = saved(np.zeros((8, 8, 3), np.uint8), "JPEG")
    exif = segment(0xE1, b"Exif\0\0" + thumbnail)

    with pytest.raises(UnreadableImage):
        decode_image(with_segments(exif[:2] + b"\0\x10" + exif[4:]), limits)


def test_texts_count_as_metadata(limits: Limits) -> None:
    text = segment(0xFE, bytes(60_000))
    within, above = (with_segments(*[text] * count) for count in (279, 280))

    assert decode_image(within, limits).size == (13, 9)
    with pytest.raises(MetadataTooLarge):
        decode_image(above, limits)


def test_segments_end_at_the_end_marker() -> None:
    markers = [marker for marker, _, _ in jpeg_segments(WHOLE + b"\xff\xda" * 9)]

    assert markers[0] == 0xE0
    assert markers[-2:] == [0xDA, 0xD9]


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_what_says_how_colours_are_stored_is_kept(limits: Limits, mode: str) -> None:
    # Adobe's marker says that these are stored as they are, not as luma and chroma.
    stored, buffer = Image.fromarray(picture()).convert(mode), BytesIO()
    stored.save(buffer, "JPEG", quality=95, keep_rgb=True)
    assert b"Adobe" in buffer.getvalue()

    decoded = decode_image(buffer.getvalue(), limits)

    assert np.abs(np.asarray(decoded, np.int16) - shown(buffer.getvalue())).max() <= 1


BARE = read_jpeg(WHOLE, ROOM).file.getvalue()


@pytest.mark.parametrize("marker", [*range(0xE0, 0xF0), 0xFE])
@pytest.mark.parametrize(
    "body",
    [
        b"any",
        b"JFIF\0" + bytes(8),
        b"Adobe" + bytes(6),
        b"ICC_PROFILE\0\1\2" + PROFILE,
        b"http://ns.adobe.com/xap/1.0/\0",
    ],
)
def test_what_pixels_do_not_need_is_left_out(marker: int, body: bytes) -> None:
    read = read_jpeg(with_segments(segment(marker, body)), ROOM)

    assert read.file.getvalue() == BARE
    assert read.info == {}
    counted = marker in (0xE1, 0xFE)
    assert read.ignored_bytes == (len(body) if counted else 0)


@pytest.mark.parametrize("marker", [0xDF, 0xF0, 0xC1, 0xDB])
def test_what_pixels_may_need_is_kept(marker: int) -> None:
    other = segment(marker, b"any")

    assert read_jpeg(with_segments(other), ROOM).file.getvalue() == BARE[:2] + other + BARE[2:]


@pytest.mark.parametrize("marker", range(0xE0, 0xF0))
@pytest.mark.parametrize(
    ("its", "body"), [(0xE0, b"JFIF\0" + bytes(9)), (0xEE, b"Adobe" + bytes(7))]
)
def test_what_says_how_colours_are_stored_has_its_marker(
    marker: int, its: int, body: bytes
) -> None:
    other = segment(marker, body)

    kept = read_jpeg(with_segments(other), ROOM).file.getvalue()

    assert kept == BARE[:2] + (other if marker == its else b"") + BARE[2:]


@pytest.mark.parametrize("marker", range(0xE0, 0xF0))
def test_exif_and_profile_have_their_markers(marker: int) -> None:
    exif, profile = b"Exif\0\0" + TURNED, b"ICC_PROFILE\0\1\1" + PROFILE

    info = [read_jpeg(with_segments(segment(marker, body)), ROOM).info for body in (exif, profile)]

    assert info == [
        {"exif": exif} if marker == 0xE1 else {},
        {"icc_profile": PROFILE} if marker == 0xE2 else {},
    ]


def test_a_part_of_a_profile_may_be_empty() -> None:
    assert profile_of(profile_part(1, 2, PROFILE), profile_part(2, 2, b"")) == PROFILE


def test_nothing_counts_behind_the_first_scan_header() -> None:
    at = WHOLE.index(b"\xff\xda")
    file = WHOLE[:at] + WHOLE[at : at + 14] + segment(0xE1, b"Exif\0\0" + TURNED) + WHOLE[at:]

    read = read_jpeg(file, ROOM)

    assert (read.info, read.ignored_bytes) == ({}, 0)
    assert read.file.getvalue().endswith(file[at:])


def test_segments_have_their_markers_and_places() -> None:
    # Without a length are the start, an arithmetic coder's own marker and the end.
    data = b"\xff\xd8" + segment(0xFE, b"abc") + b"\xff\xd8\xff\x01\xff\xfe\0\1\xff\xfe\0\0\xff\xd9"

    assert list(jpeg_segments(data)) == [
        *((0xFE, 2, 9), (0xD8, 9, 11), (0x01, 11, 13), (0xFE, 13, 17), (0xFE, 17, 21)),
        (0xD9, 21, 23),
    ]
