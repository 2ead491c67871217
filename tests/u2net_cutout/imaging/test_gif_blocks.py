from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.u2net_cutout.imaging.test_decoding import encoded
from u2net_cutout.contract.errors import UnreadableImage
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image

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


@pytest.mark.parametrize("file", [WHOLE[:BEHIND] + b";", WHOLE[:BEHIND], WHOLE[:BEHIND] + b"!"])
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
