"""Raw files, thumbnails and odd TIFFs, written by tifffile and by hand, are refused by name."""

import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from u2net_cutout.contract.errors import InvalidFileType, UnreadableImage, UnsupportedPicture
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image
from u2net_cutout.imaging.picture_kind import check_kind

THUMBNAIL = np.full((12, 16, 3), 99, np.uint8)
FULL = np.full((48, 64, 3), 200, np.uint8)
REDUCED, MASK = 1, 4
DNG_VERSION = (50706, "B", 4, (1, 4, 0, 0), True)
COLOUR_FILTERS, LINEAR_RAW = 32803, 34892


def pages(*pictures: dict[str, Any], **options: Any) -> bytes:
    """Return a TIFF of several pictures, one after the other, as tifffile takes them."""
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer, **options) as writer:
        for each in pictures:
            writer.write(**{"photometric": "rgb", **each})
    return buffer.getvalue()


def with_sub_picture(first: dict[str, Any], second: dict[str, Any]) -> bytes:
    """Return a TIFF with a picture in a sub-directory of another, as cameras write it."""
    return pages({**first, "subifds": 1}, second)


def sensor(photometric: int) -> dict[str, Any]:
    shape = (48, 64, 3) if photometric == LINEAR_RAW else (48, 64)
    return {"data": np.zeros(shape, np.uint16), "photometric": photometric}


@pytest.mark.parametrize(
    "data",
    [
        pages({"data": FULL, "extratags": [DNG_VERSION]}),
        pages({"data": FULL, "extratags": [DNG_VERSION]}, byteorder=">"),
        pages({"data": FULL, "extratags": [DNG_VERSION]}, bigtiff=True),
        with_sub_picture(
            {"data": THUMBNAIL, "subfiletype": REDUCED, "extratags": [DNG_VERSION]},
            sensor(COLOUR_FILTERS),
        ),
        with_sub_picture({"data": THUMBNAIL, "subfiletype": REDUCED}, sensor(COLOUR_FILTERS)),
        with_sub_picture({"data": FULL}, sensor(LINEAR_RAW)),
        pages({"data": FULL}, sensor(COLOUR_FILTERS)),
        pages(sensor(COLOUR_FILTERS)),
        b"II*\0\x10\0\0\0CR\2\0" + bytes(300),
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(300),
        b"FUJIFILMCCD-RAW 0201FF383501X-T3" + bytes(300),
        b"IIRO\x08\0\0\0" + bytes(300),
        b"IIRS\x08\0\0\0" + bytes(300),
        b"MMOR\0\0\0\x08" + bytes(300),
        b"IIU\0\x18\0\0\0" + bytes(300),
        b"FOVb\0\0\2\0" + bytes(300),
        b"\0MRM\0\0\0\0" + bytes(300),
        b"II\x1a\0\0\0HEAPCCDR" + bytes(300),
    ],
    ids=[
        *("DNG", "big-endian DNG", "BigTIFF DNG", "DNG with a thumbnail", "NEF, ARW, SRW, 3FR"),
        *("a preview in full size", "two pages", "PEF", "CR2", "CR3", "RAF", "ORF", "ORF of 2004"),
        *("ORF, big-endian", "RW2", "X3F", "MRW", "CRW"),
    ],
)
def test_a_camera_raw_file_is_refused(limits: Limits, data: bytes) -> None:
    with pytest.raises(UnsupportedPicture, match="camera raw files are not read; export"):
        decode_image(data, limits)


def test_what_only_begins_like_a_raw_file_is_none(limits: Limits) -> None:
    for data in (b"FUJIFILM", b"IIR", b"\0MR", b"ftypcrx " + bytes(30)):
        with pytest.raises(InvalidFileType):
            decode_image(data, limits)


@pytest.mark.parametrize(
    "data",
    [
        pages({"data": THUMBNAIL, "subfiletype": REDUCED}, {"data": FULL}),
        with_sub_picture({"data": THUMBNAIL, "subfiletype": REDUCED}, {"data": FULL}),
        pages(
            {"data": THUMBNAIL, "subfiletype": REDUCED},
            {"data": THUMBNAIL, "subfiletype": REDUCED | 2},
            {"data": FULL},
        ),
        pages({"data": THUMBNAIL, "extratags": [(255, "H", 1, 2, True)]}, {"data": FULL}),
    ],
    ids=["in the next page", "in a sub-directory", "in the third page", "the old tag"],
)
def test_a_thumbnail_is_never_read_for_the_picture(limits: Limits, data: bytes) -> None:
    with pytest.raises(UnsupportedPicture, match="begins with a thumbnail"):
        decode_image(data, limits)


@pytest.mark.parametrize(
    "data",
    [
        pages({"data": FULL}, {"data": THUMBNAIL, "subfiletype": REDUCED}),
        with_sub_picture({"data": FULL}, {"data": THUMBNAIL, "subfiletype": REDUCED}),
        pages({"data": FULL}, {"data": THUMBNAIL}),
        pages({"data": FULL, "subfiletype": REDUCED}),
        pages({"data": FULL, "extratags": [(255, "H", 1, 3, True)]}, {"data": THUMBNAIL}),
        pages(
            {"data": FULL, "subfiletype": REDUCED},
            {"data": FULL[..., 0] > 0, "subfiletype": MASK, "photometric": "mask"},
        ),
    ],
    ids=[
        *("a thumbnail behind", "in a sub-directory", "pages", "a single one", "the old tag"),
        "and its mask",
    ],
)
def test_the_first_picture_is_read_where_it_is_the_full_one(limits: Limits, data: bytes) -> None:
    assert np.array_equal(np.asarray(decode_image(data, limits)), FULL)


def test_a_directory_that_is_none_holds_no_fuller_picture(limits: Limits) -> None:
    data = bytearray(pages({"data": FULL, "subfiletype": REDUCED}))
    (at,) = struct.unpack_from("<I", data, 4)
    (tags,) = struct.unpack_from("<H", data, at)
    struct.pack_into("<I", data, at + 2 + 12 * tags, len(data) - 2)

    assert np.array_equal(np.asarray(decode_image(data, limits)), FULL)


@pytest.mark.parametrize("side", [256, 257])
def test_a_tiff_without_a_size_is_broken_and_not_of_another_kind(limits: Limits, side: int) -> None:
    data = bytearray(pages({"data": FULL.astype(np.float32)}))
    at = data.index(struct.pack("<HH", side, 4) + struct.pack("<I", 1))
    struct.pack_into("<H", data, at, 253)

    with pytest.raises(UnreadableImage):
        decode_image(data, limits)


def compressed_as(method: int) -> bytes:
    data = bytearray(pages({"data": FULL}))
    at = data.index(struct.pack("<HH", 259, 3))
    data[at + 8 : at + 10] = struct.pack("<H", method)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (pages({"data": FULL}, bigtiff=True, byteorder=">"), "a BigTIFF in big-endian byte order"),
        (compressed_as(34712), "compressed by JPEG 2000"),
        (compressed_as(50001), "compressed by WebP"),
        (compressed_as(50002), "compressed by JPEG XL"),
        (compressed_as(34887), "compressed by LERC"),
        (compressed_as(12345), "compressed by a method of number 12345"),
    ],
)
def test_a_sound_file_that_pillow_lacks_is_not_called_broken(
    limits: Limits, data: bytes, name: str
) -> None:
    with pytest.raises(UnsupportedPicture, match=name):
        decode_image(data, limits)


def test_a_bigtiff_is_read(limits: Limits) -> None:
    data = pages({"data": FULL}, bigtiff=True)

    assert np.array_equal(np.asarray(decode_image(data, limits)), FULL)


def test_pages_without_end_are_not_followed_for_ever() -> None:
    buffer = BytesIO()
    Image.fromarray(FULL).save(buffer, "TIFF")
    data = bytearray(buffer.getvalue())
    (at,) = struct.unpack_from("<I", data, 4)
    (tags,) = struct.unpack_from("<H", data, at)
    data[at + 2 + 12 * tags : at + 6 + 12 * tags] = data[4:8]

    check_kind(data)


@pytest.mark.parametrize("page", [32, 33])
def test_so_many_pictures_are_looked_at(page: int) -> None:
    data = pages(*({"data": THUMBNAIL} for _ in range(page - 1)), sensor(COLOUR_FILTERS))

    if page > 32:
        check_kind(data)
    else:
        with pytest.raises(UnsupportedPicture):
            check_kind(data)


@pytest.mark.parametrize(
    "method",
    ["tiff_lzw", "packbits", "tiff_adobe_deflate", "tiff_deflate", "lzma", "zstd", "jpeg"],
)
def test_every_compression_of_colours_is_read(limits: Limits, method: str) -> None:
    buffer = BytesIO()
    Image.fromarray(FULL).save(buffer, "TIFF", compression=method)

    decoded = np.asarray(decode_image(buffer.getvalue(), limits), int)

    assert np.abs(decoded - FULL).max() <= 2


@pytest.mark.parametrize("method", ["tiff_ccitt", "group3", "group4"])
def test_every_compression_of_fax_pages_is_read(limits: Limits, method: str) -> None:
    page, buffer = Image.new("1", (64, 48)), BytesIO()
    page.paste(1, (8, 8, 40, 24))
    page.save(buffer, "TIFF", compression=method)

    decoded = decode_image(buffer.getvalue(), limits)

    assert decoded.convert("1").tobytes() == page.tobytes()


def test_the_methods_of_compression_that_are_read_are_those_of_libtiff() -> None:
    # Of libtiff's tiff.h, those that Pillow's own has been built with.
    methods = {*range(1, 9), 32771, 32773, 32809, 32946, 34925, 50000}

    def is_read(method: int) -> bool:
        try:
            check_kind(compressed_as(method))
        except UnsupportedPicture:
            return False
        return True

    beside = {method + step for method in methods for step in (-1, 0, 1)}
    assert {method for method in beside if is_read(method)} == methods
