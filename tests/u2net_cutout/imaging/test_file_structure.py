import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from u2net_cutout.contract.errors import TooManyParts
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
