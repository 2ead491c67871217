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
from u2net_cutout.imaging.tiff_tags import BIG_SIZES, NEEDED, SIZES, USED, read_tiff

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
    with tifffile.TiffWriter(file, byteorder=byteorder, bigtiff=big) as writer:
        for levels in (LEVELS, LEVELS[::-1]):
            writer.write(levels, photometric="rgb", description="some words", metadata=None)

    file.seek(0)
    with (
        tifffile.TiffFile(file) as before,
        tifffile.TiffFile(BytesIO(read_tiff(file.getvalue(), 0).file.read())) as after,
    ):
        assert 270 in before.pages.first.tags
        assert not set(after.pages.first.tags.keys()) - NEEDED
        assert np.array_equal(after.pages[0].asarray(), LEVELS)
        assert np.array_equal(after.pages[1].asarray(), LEVELS[::-1])
        assert len(after.pages) == 2


# TIFF 6.0 and its supplements; 516, which no standard uses, is among those of old JPEGs.
NAMES = """
    ImageWidth ImageLength BitsPerSample Compression PhotometricInterpretation FillOrder
    StripOffsets SamplesPerPixel RowsPerStrip StripByteCounts PlanarConfiguration T4Options
    T6Options Predictor ColorMap TileWidth TileLength TileOffsets TileByteCounts ExtraSamples
    SampleFormat JPEGTables JPEGProc JPEGInterchangeFormat JPEGInterchangeFormatLength
    JPEGRestartInterval 516 JPEGLosslessPredictors JPEGPointTransforms JPEGQTables JPEGDCTables
    JPEGACTables YCbCrCoefficients YCbCrSubSampling YCbCrPositioning ReferenceBlackWhite
    ImageDepth TileDepth LercParameters
"""


def test_the_tags_that_pixels_need_are_those_that_libtiff_reads_them_by() -> None:
    # By their names in tifffile, which has them from the standard and from libtiff's tiff.h.
    needed, used = (
        [tifffile.TIFF.TAGS.get(tag, str(tag)) for tag in sorted(tags)] for tags in (NEEDED, USED)
    )

    assert needed == NAMES.split()
    assert used == ["Orientation", "InterColorProfile", "PixelFormat"]


def test_values_have_the_sizes_of_their_types() -> None:
    sizes = {
        int(kind): struct.calcsize("=" + form) for kind, form in tifffile.TIFF.DATA_FORMATS.items()
    }

    assert sizes == BIG_SIZES
    assert {kind: size for kind, size in sizes.items() if kind <= 13} == SIZES


@pytest.mark.parametrize(
    ("kind", "count", "read"),
    [(3, 1, True), (1, 1, True), (3, 0, False), (99, 1, False), (0, 1, False)],
    ids=["a short", "a byte", "none", "an unknown type", "no type"],
)
def test_a_tag_has_at_least_one_value_of_a_known_type(kind: int, count: int, read: bool) -> None:
    file = tiff().replace(struct.pack("<HHI", 277, 3, 1), struct.pack("<HHI", 277, kind, count))

    if read:
        assert struct.pack("<HHI", 277, kind, count) in read_tiff(file, 0).file.getvalue()
    else:
        with pytest.raises(UnreadableImage, match="tag 277 "):
            read_tiff(file, 0)
