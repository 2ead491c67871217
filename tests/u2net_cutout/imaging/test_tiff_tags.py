import struct
from io import BytesIO
from typing import Literal

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.u2net_cutout.imaging.broken_files import picture
from tests.u2net_cutout.imaging.test_decoding import encoded
from u2net_cutout.contract.errors import UnreadableImage
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image
from u2net_cutout.imaging.tiff_tags import NEEDED, read_tiff

LEVELS = picture()
BEYOND = 0x7FFFFFFF


def tiff(*, orientation: int = 1, broken: int = 0, compression: str | None = None) -> bytes:
    """Return Pillow's own TIFF; of the tag `broken` the values lie beyond the file."""
    file = bytearray(
        encoded(
            Image.fromarray(LEVELS),
            "TIFF",
            compression=compression,
            tiffinfo={270: "some description", 305: "a long enough name", 274: orientation},
        )
    )
    (at,) = struct.unpack_from("<I", file, 4)
    (count,) = struct.unpack_from("<H", file, at)
    for place in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from("<H", file, place) == (broken,):
            struct.pack_into("<HII", file, place + 2, 2, 9, BEYOND)
            break
    else:
        assert not broken
    return bytes(file)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("broken", [270, 305])
def test_a_text_that_lies_nowhere_hides_no_tag_behind_it(
    limits: Limits, broken: int, compression: str | None
) -> None:
    file = tiff(orientation=6, broken=broken, compression=compression)

    decoded = decode_image(file, limits)

    assert np.array_equal(np.asarray(decoded), np.rot90(LEVELS, -1))


def test_an_orientation_that_lies_nowhere_turns_nothing(limits: Limits) -> None:
    decoded = decode_image(tiff(broken=274), limits)

    assert np.array_equal(np.asarray(decoded), LEVELS)


@pytest.mark.parametrize("broken", [258, 273, 277])
def test_a_tag_that_pixels_need_is_not_guessed(limits: Limits, broken: int) -> None:
    with pytest.raises(UnreadableImage, match=f"tag {broken} "):
        decode_image(tiff(broken=broken), limits)


def test_frames_are_still_frames(limits: Limits) -> None:
    frames = [Image.fromarray(levels) for levels in (LEVELS, LEVELS[::-1])]
    file = encoded(
        frames[0],
        "TIFF",
        save_all=True,
        append_images=frames[1:],
        tiffinfo={270: "some description"},
    )

    assert np.array_equal(np.asarray(decode_image(file, limits)), LEVELS)


def test_xmp_alone_turns_nothing(limits: Limits) -> None:
    xmp = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    file = encoded(Image.fromarray(LEVELS), "TIFF", tiffinfo={700: xmp})

    assert b"tiff:Orientation" in file
    assert np.array_equal(np.asarray(decode_image(file, limits)), LEVELS)


@pytest.mark.parametrize(("lacking", "read"), [(0, True), (1, False)])
def test_values_may_end_where_the_file_ends(limits: Limits, lacking: int, read: bool) -> None:
    file = bytearray(tiff())
    (at,) = struct.unpack_from("<I", file, 4)
    entry = file.index(struct.pack("<HHI", 258, 3, 3), at)
    struct.pack_into("<I", file, entry + 8, len(file))
    file += struct.pack("<3H", 8, 8, 8)
    end = len(file) - lacking

    if read:
        assert np.array_equal(np.asarray(decode_image(file[:end], limits)), LEVELS)
    else:
        with pytest.raises(UnreadableImage, match="tag 258 "):
            decode_image(file[:end], limits)


@pytest.mark.parametrize("byteorder", "<>")
@pytest.mark.parametrize("big", [False, True], ids=["TIFF", "BigTIFF"])
def test_a_description_is_left_out_of_each_layout(byteorder: Literal["<", ">"], big: bool) -> None:
    file = BytesIO()
    tifffile.imwrite(
        file, LEVELS, byteorder=byteorder, bigtiff=big, photometric="rgb", description="some words"
    )

    file.seek(0)
    with (
        tifffile.TiffFile(file) as before,
        tifffile.TiffFile(read_tiff(file.getvalue(), 0).file) as after,
    ):
        assert 270 in before.pages.first.tags
        assert not set(after.pages.first.tags.keys()) - NEEDED
        assert np.array_equal(after.asarray(), LEVELS)


def test_the_tags_that_pixels_need_are_those_that_libtiff_reads_them_by() -> None:
    # By their names in tifffile, which has them from the standard and from libtiff's tiff.h.
    names = {tifffile.TIFF.TAGS.get(tag, "") for tag in NEEDED}

    assert {"BitsPerSample", "Compression", "JPEGTables", "LercParameters", "ColorMap"} <= names
    assert {"SubfileType", "NewSubfileType", "Make", "DateTime"}.isdisjoint(names)
