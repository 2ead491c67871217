import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from u2net_cutout.contract.errors import TooManyParts, UnreadableImage
from u2net_cutout.imaging.file_structure import check_structure

SMALL = Image.new("RGB", (8, 8), "teal")
CHUNK = bytes(4) + b"prVt" + struct.pack(">I", zlib.crc32(b"prVt"))
FORMATS = ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "AVIF", "BMP")


def encoded(picture: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def tiff(strips: int, *, order: str = "<", big: bool = False) -> bytes:
    """Return the first directory of a TIFF that promises so many strips, and their offsets."""
    head = b"II" if order == "<" else b"MM"
    start = struct.pack(
        order + ("HHHQQ" if big else "HIH"), *((43, 8, 0, 16, 1) if big else (42, 8, 1))
    )
    entry = struct.pack(order + ("HHQQ" if big else "HHII"), 273, 4, strips, 36 if big else 26)
    return head + start + entry + bytes(4 * strips)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_common_file_has_few_parts(file_format: str) -> None:
    check_structure(encoded(SMALL, file_format), 50)


@pytest.mark.parametrize(
    "data",
    [
        encoded(SMALL, "PNG")[:33] + CHUNK * 101,
        encoded(SMALL, "JPEG")[:2] + b"\xff\xfe\0\2" * 101,
        b"GIF89a" + bytes(7) + b"!\xf9\4\0\0\0\0\0" * 51,
        b"GIF89a" + bytes(7) + b"!\xfe" + b"\1a" * 100 + b"\0",
        b"GIF89a" + bytes(7) + bytes(101),
        b"GIF89a" + bytes(4) + b"\x80\0\0" + bytes(6) + bytes(101),
        tiff(100),
        tiff(100, order=">"),
        tiff(100, big=True),
        tiff(100, order=">", big=True),
        b"II*\0" + struct.pack("<IH", 8, 101) + bytes(12 * 101),
        b"MM\0+" + tiff(100, order=">")[4:],
    ],
    ids=[
        "PNG chunks",
        "JPEG segments",
        "GIF extensions",
        "GIF blocks",
        "GIF rubbish",
        "GIF with a palette",
        "TIFF strips",
        "big-endian",
        "BigTIFF",
        "big-endian BigTIFF",
        "TIFF tags",
        "BigTIFF that Pillow reads as TIFF",
    ],
)
def test_more_parts_than_the_limit_are_refused(data: bytes) -> None:
    check_structure(data, 105)
    with pytest.raises(TooManyParts):
        check_structure(data, 100)


@pytest.mark.parametrize(
    "data",
    [
        encoded(SMALL, "PNG")[:33] + CHUNK * 49,
        b"\xff\xd8" + b"\xff\xfe\0\2" * 50 + b"\xff\xd9",
        b"GIF89a" + bytes(7) + b"!\xfe" + b"\1a" * 49 + b"\0",
        tiff(49),
        b"II*\0" + struct.pack("<IH", 8, 50) + bytes(12 * 50),
    ],
    ids=["PNG", "JPEG", "GIF", "TIFF strips and their tag", "TIFF tags"],
)
def test_as_many_parts_as_the_limit_are_allowed(data: bytes) -> None:
    check_structure(data, 50)
    with pytest.raises(TooManyParts, match="more than 49 parts"):
        check_structure(data, 49)


def test_strips_that_a_file_has_no_room_for_are_not_counted() -> None:
    check_structure(tiff(100)[:26] + bytes(8), 50)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_cut_short_anywhere_has_few_parts(file_format: str) -> None:
    data = encoded(SMALL, file_format)

    for end in range(len(data)):
        check_structure(data[:end], 50)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_directory_beyond_any_file_has_no_parts(order: str) -> None:
    start = tiff(1, order=order, big=True)[:8]

    check_structure(start + struct.pack(order + "Q", (1 << 64) - 1), 50)


def test_what_follows_the_end_of_a_png_is_none_of_its_parts() -> None:
    check_structure(encoded(SMALL, "PNG") + CHUNK * 100, 50)


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (encoded(SMALL, "PNG")[:33] + CHUNK * 7 + encoded(SMALL, "PNG")[33:], 3 + 7),
        (b"\xff\xd8" + b"\xff\xfe\0\2" * 7 + b"\xff\xd9", 7),
        # A segment's length counts its own two bytes, and what is in it is no marker.
        (b"\xff\xd8" + b"\xff\xfe\0\6\xff\xfe\xff\xfe" * 7 + b"\xff\xd9", 7),
        (b"\xff\xd8" + b"\xff\xc4\0\2" * 70 + b"\xff\xd9", 70),
        # After a scan, 0xff stands before 0, before restart markers, or is filled up by others.
        (b"\xff\xd8\xff\xda\0\2\xff\0\xff\xd0\xff\xd7\xff\xff\xfe\0\2\xff\xd9\xff\xfe\0\2", 2),
        # The image, or the end, is the last part.
        (b"GIF89a" + bytes(7) + b"!\xf9\4\0\0\0\0\0" * 7 + b";" + bytes(9), 2 * 7 + 1),
        (b"GIF89a" + bytes(7) + b"!\xfe" + b"\1a" * 7 + b"\0," + bytes(9), 1 + 7 + 1),
        # A palette of 2 << 2 colours.
        (b"GIF89a" + bytes(4) + b"\x82\0\0" + bytes(3 * 8) + bytes(7) + b";", 7 + 1),
        (tiff(7), 1 + 7),
        (tiff(7, order=">"), 1 + 7),
        (tiff(7, big=True), 1 + 7),
        (tiff(7).replace(struct.pack("<H", 273), struct.pack("<H", 324), 1), 1 + 7),
        (tiff(7).replace(struct.pack("<H", 273), struct.pack("<H", 279), 1), 1),
    ],
    ids=[
        *("PNG", "JPEG", "JPEG's contents", "JPEG's tables", "JPEG's scan"),
        *("GIF extensions", "GIF blocks", "GIF's palette"),
        *("TIFF strips", "big-endian", "BigTIFF", "TIFF tiles", "TIFF lengths"),
    ],
)
def test_parts_are_allowed_up_to_the_limit_itself(data: bytes, parts: int) -> None:
    check_structure(data, parts)
    with pytest.raises(TooManyParts, match=f"more than {parts - 1} parts"):
        check_structure(data, parts - 1)


def test_a_jpeg_may_have_64_scans() -> None:
    # As MAX_JPEG_SCANS is documented: no camera or encoder writes nearly as many.
    check_structure(b"\xff\xd8" + b"\xff\xda\0\2" * 64 + b"\xff\xd9", 1000)
    with pytest.raises(UnreadableImage, match="scans"):
        check_structure(b"\xff\xd8" + b"\xff\xda\0\2" * 65 + b"\xff\xd9", 1000)


def test_strips_are_counted_as_far_as_the_file_could_hold_them() -> None:
    # An offset takes 2 bytes or more, so that a file of 60 holds 30 at most.
    data = tiff(1_000_000)[:30] + bytes(30)

    check_structure(data, 31)
    with pytest.raises(TooManyParts):
        check_structure(data, 30)
