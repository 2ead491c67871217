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
