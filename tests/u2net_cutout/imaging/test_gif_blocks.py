from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.u2net_cutout.imaging.test_decoding import encoded
from u2net_cutout.contract.errors import UnreadableImage
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image
from u2net_cutout.imaging.gif_blocks import gif_blocks, palette_end, read_gif

RED, BLUE = (255, 0, 0), (0, 0, 255)
CONTROL = b"!\xf9\4\1\0\0\1\0"  # the second colour is clear


def gif() -> bytes:
    picture = Image.new("P", (4, 2))
    picture.putpalette([*RED, *BLUE])
    picture.paste(1, (2, 0, 4, 2))
    return encoded(picture, "GIF")


WHOLE = gif()
BEHIND = WHOLE.index(b",")


def with_blocks(blocks: bytes) -> bytes:
    return WHOLE[:BEHIND] + blocks + WHOLE[BEHIND:]


@pytest.mark.parametrize(
    "blocks",
    [
        b"!\xff\x0bNETSCAPE2.0\1\1\0",
        b"!\xff\0",
        b"!\xfe\0",
        b"!\0\3abc\0",
        b"!\x01\0",
        b"!\xf9\0",
        b"!\xf9\1\1\0",
        b"!\xfe\4\1\0\0\1\0",
        b"!\x01\4\1\0\0\1\0",
        b"garbage",
    ],
)
def test_a_broken_block_costs_neither_picture_nor_clear_colour(
    limits: Limits, blocks: bytes
) -> None:
    opaque, clear = (with_blocks(blocks + control) for control in (b"", CONTROL))

    assert np.asarray(decode_image(opaque, limits))[0].tolist() == [[*RED]] * 2 + [[*BLUE]] * 2
    assert np.asarray(decode_image(clear, limits))[0, :, 3].tolist() == [255, 255, 0, 0]


def test_the_last_control_before_the_picture_counts(limits: Limits) -> None:
    other = b"!\xf9\4\0\0\0\0\0"

    assert decode_image(with_blocks(CONTROL + other), limits).mode == "RGB"
    assert decode_image(with_blocks(other + CONTROL), limits).mode == "RGBA"


def test_a_control_behind_the_picture_clears_nothing(limits: Limits) -> None:
    assert decode_image(WHOLE[:-1] + CONTROL + b";", limits).mode == "RGB"


@pytest.mark.parametrize("end", [b"", b"\0", b"garbage"])
def test_a_missing_end_costs_no_picture(limits: Limits, end: bytes) -> None:
    whole = decode_image(WHOLE, limits).tobytes()

    assert decode_image(WHOLE[:-1] + end, limits).tobytes() == whole


@pytest.mark.parametrize(
    "file",
    [
        WHOLE[:BEHIND] + b";",
        WHOLE[:BEHIND],
        WHOLE[:BEHIND] + b"!",
        # What lies inside of a comment, or of a block of another kind, is no picture.
        WHOLE[:BEHIND] + b"!\xfe" + WHOLE[BEHIND:],
        WHOLE[:BEHIND] + b"!\x01" + WHOLE[BEHIND:],
        WHOLE[:BEHIND] + b"!\xf9\4\1",
    ],
)
def test_a_gif_without_a_picture_is_unreadable(limits: Limits, file: bytes) -> None:
    with pytest.raises(UnreadableImage):
        decode_image(file, limits)


@pytest.mark.parametrize("colours", [2, 4, 8, 16, 32, 64, 128, 256])
def test_the_palette_is_as_long_as_its_bits_say(limits: Limits, colours: int) -> None:
    # Palettes hold the bytes that blocks begin with.
    picture = Image.new("P", (colours, 1))
    picture.putpalette([44, 33, 59] + [level % 256 for level in range(3 * (colours - 1))])
    picture.frombytes(bytes(range(colours)))
    file = encoded(picture, "GIF", optimize=False)

    with Image.open(BytesIO(file)) as theirs:
        assert decode_image(file, limits).tobytes() == theirs.convert("RGB").tobytes()


def test_a_longer_control_counts_as_well(limits: Limits) -> None:
    longer = with_blocks(b"!\xf9\5\1\0\0\1\0\0")

    assert read_gif(longer, 0).file.getvalue() == with_blocks(CONTROL)
    assert decode_image(longer, limits).mode == "RGBA"


@pytest.mark.parametrize(
    ("flags", "end"),
    [(0x00, 13), (0x7F, 13), (0x80, 13 + 3 * 2), (0xF0, 13 + 3 * 2), (0x87, 13 + 3 * 256)],
)
def test_a_palette_is_there_if_its_flag_says_so(flags: int, end: int) -> None:
    assert palette_end(b"GIF89a" + bytes(4) + bytes([flags]) + bytes(3)) == end


def test_a_file_that_is_all_header_has_no_palette() -> None:
    assert palette_end(b"GIF89a" + bytes(4)) == 13


def test_blocks_have_their_kinds_and_places() -> None:
    data = b"GIF89a" + bytes(7) + b"!\xfe\1a\2bc\0" + b"?" + b"!\xf9\0" + b","

    assert list(gif_blocks(data)) == [
        (-1, 13),
        (0xFE, 15),
        (0xFE, 17),
        (-1, 21),
        (-1, 22),
        (44, 25),
    ]


@pytest.mark.parametrize("length", range(len(CONTROL)))
def test_a_control_that_is_cut_short_is_none(length: int) -> None:
    cut = WHOLE[:BEHIND] + CONTROL[:length]
    whole = b"!\xf9\4" + CONTROL[3:7] + b"\0" if length >= 7 else b""

    assert read_gif(cut, 0).file.getvalue() == WHOLE[:BEHIND] + whole


@pytest.mark.parametrize(
    "blocks",
    [
        b";" + WHOLE[BEHIND:],
        b"!,\3abc\0",
        b"!,\x30" + b"," * 48 + b"\0",
        b"!\x01," + b"," * 44 + b"\0",
        b"!\xfe," + b"," * 44 + b"\0",
    ],
)
def test_no_other_block_is_taken_for_the_image(blocks: bytes) -> None:
    assert read_gif(WHOLE[:BEHIND] + blocks, 0).file.getvalue() == WHOLE[:BEHIND]
