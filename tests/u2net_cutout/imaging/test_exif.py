import struct
from io import BytesIO

import pytest
from PIL import ExifTags, Image

from tests.u2net_cutout.imaging.test_decoding import ASCII, ORIENTATION, SHORT, exif_of
from u2net_cutout.imaging.exif import find_orientation, is_adobe_rgb

LONG = 4
TURNED = (ORIENTATION, SHORT, b"\x06\0")


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_that_pillow_writes_is_found(orientation: int, endian: str) -> None:
    exif = Image.Exif()
    exif.endian = endian
    exif[ExifTags.Base.Make] = "a camera with a long name"
    exif[ORIENTATION] = orientation

    assert find_orientation(exif.tobytes()) == orientation


@pytest.mark.parametrize("head", [b"", b"Exif\0\0", b"Exif\0\0Exif\0\0"])
def test_names_before_it_do_not_count(head: bytes) -> None:
    assert find_orientation(head + exif_of(TURNED)) == 6


def test_a_tag_whose_text_lies_nowhere_does_not_hide_those_behind_it() -> None:
    make = struct.pack("<HHI4s", 0x010F, ASCII, 2**31, b"\xff\xff\xff\x7f")
    exif = exif_of((0x010F, ASCII, b"abc\0"), TURNED)

    assert find_orientation(exif[:10] + make + exif[22:]) == 6


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"Exif\0\0",
        b"garbage",
        b"II*\0",
        b"II*\0\0\0\0\0" + exif_of(TURNED)[8:],
        b"II*\0\xff\xff\xff\xff",
        exif_of(TURNED)[:9],
        exif_of(TURNED)[:20],
        exif_of(TURNED)[:21],
        b"II*\0\x0a\0\0\0\0\0",
        # What lies where its header would say that there are entries, and where none are counted.
        b"II*\0" + bytes(4) + bytes(6) + exif_of(TURNED)[10:22],
        b"II*\0\x08\0\0\0" + bytes(2) + exif_of(TURNED)[10:],
        b"II*\0\x08\0\0\0\1\0" + exif_of((0x0100, SHORT, b"\1\0"), TURNED)[10:],
        exif_of((ORIENTATION, SHORT, b"\x09\0")),
        exif_of((ORIENTATION, SHORT, b"\0\0")),
        exif_of((ORIENTATION, ASCII, b"six\0")),
        exif_of((ORIENTATION, 99, b"\x06\0")),
        exif_of((ORIENTATION, LONG, b"\x06\0\1\0")),
    ],
)
def test_what_says_no_orientation_is_upright(exif: bytes) -> None:
    assert find_orientation(exif) == 1


@pytest.mark.parametrize(("number", "orientation"), [(0, 1), (1, 6), (2, 1)])
def test_none_or_several_orientations_are_none(number: int, orientation: int) -> None:
    entry = struct.pack("<HHI4s", ORIENTATION, SHORT, number, b"\x06\0\x06\0")

    assert find_orientation(exif_of(TURNED)[:10] + entry + bytes(4)) == orientation


def test_an_entry_may_end_where_the_file_ends() -> None:
    assert find_orientation(exif_of(TURNED)[:-4]) == 6


def test_without_a_pointer_no_other_place_marks_adobe_rgb() -> None:
    # An entry where there would be one if the header's second byte began a directory.
    index = struct.pack("<HHI4s", 1, ASCII, 4, b"R03\0")

    assert not is_adobe_rgb(b"II*\0\x08\0\0\0\0\0" + bytes(5) + index)


def test_the_first_of_two_orientations_counts() -> None:
    assert find_orientation(exif_of((ORIENTATION, LONG, b"\3\0\0\0"), TURNED)) == 3


@pytest.mark.parametrize(("index", "expected"), [("R03", True), ("R98", False)])
def test_a_camera_marks_adobe_rgb(index: str, expected: bool) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.IFD.Interop] = {1: index}
    picture, buffer = Image.new("RGB", (8, 8)), BytesIO()
    picture.save(buffer, "JPEG", exif=exif)

    assert is_adobe_rgb(Image.open(buffer).info["exif"]) is expected
    assert not is_adobe_rgb(Image.open(buffer).info["exif"][:30])
