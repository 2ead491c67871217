import shutil
import struct
import subprocess
import tracemalloc
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib
from PIL import Image

from u2net_cutout.imaging.png_writer import BAND_BYTES, encode_png

LARGE = BAND_BYTES // 2
CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}


def read(data: bytes) -> Image.Image:
    """Decode a PNG; Pillow checks the sums of what it needs."""
    return Image.open(BytesIO(data), formats=["PNG"])


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return kind and contents of each chunk, whose sums are checked."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    found, start = [], 8
    while start < len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        contents = data[start + 8 : start + 8 + length]
        assert struct.unpack_from(">I", data, start + 8 + length) == (zlib.crc32(kind + contents),)
        found.append((kind, contents))
        start += 12 + length
    return found


def black_where_hidden(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    pixels = np.array(picture)
    pixels[pixels[:, :, 3] == 0] = 0
    return Image.fromarray(pixels)


def smooth(mode: str, size: tuple[int, int]) -> Image.Image:
    """Return a picture that filters predict well; its alpha, if any, is a disc with a soft edge."""
    ramps = [Image.linear_gradient("L").rotate(90 * turn).resize(size) for turn in range(3)]
    disc = (
        Image.radial_gradient("L").resize(size).point(lambda far: max(0, min(255, 900 - 8 * far)))
    )
    return Image.merge(mode, [*ramps, disc][-CHANNELS[mode] :])


@st.composite
def pictures(draw: st.DrawFn) -> Image.Image:
    """Draw noise with blocks of black, of one colour and of nothing in it."""
    mode = draw(st.sampled_from(list(CHANNELS)))
    width, height = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    pixels = generator.integers(0, 256, (height, width, CHANNELS[mode]), np.uint8)
    for value in draw(st.lists(st.sampled_from([0, 0, 0, 1, 255]), max_size=4)):
        top, left = draw(st.integers(0, height)), draw(st.integers(0, width))
        bottom, right = draw(st.integers(top, height)), draw(st.integers(left, width))
        channel = draw(st.sampled_from([slice(None), slice(-1, None)]))
        pixels[top:bottom, left:right, channel] = value
    return Image.fromarray(pixels.squeeze(2) if mode == "L" else pixels)


@given(picture=pictures())
def test_any_picture_is_read_as_it_was_written(picture: Image.Image) -> None:
    shown = read(encode_png(picture))

    assert shown.convert(picture.mode).tobytes() == black_where_hidden(picture).tobytes()


@pytest.mark.parametrize("mode", CHANNELS)
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 9), (9, 1), (30_000, 1), (1, 30_000), (LARGE, 3), (3, LARGE), (700, 900)]
)
def test_any_size_and_mode_is_read_as_it_was_written(mode: str, size: tuple[int, int]) -> None:
    picture = smooth(mode, size)

    shown = read(encode_png(picture))

    assert shown.size == size
    assert shown.convert(mode).tobytes() == black_where_hidden(picture).tobytes()


@pytest.mark.parametrize("mode", CHANNELS)
def test_black_is_read_as_black(mode: str) -> None:
    picture = Image.new(mode, (800, 700))

    assert read(encode_png(picture)).tobytes() == picture.tobytes()


@pytest.mark.parametrize("where", [(0, 0), (0, 799), (699, 0), (699, 799), (300, 400)])
def test_a_single_seen_pixel_is_read(where: tuple[int, int]) -> None:
    pixels = np.full((700, 800, 4), (9, 8, 7, 0), np.uint8)
    pixels[where] = (1, 2, 3, 4)

    shown = np.array(read(encode_png(Image.fromarray(pixels))))

    assert shown[where].tolist() == [1, 2, 3, 4]
    shown[where] = 0
    assert not shown.any()


@pytest.mark.parametrize("mode", CHANNELS)
def test_a_file_is_a_header_data_and_an_end(mode: str) -> None:
    (head, header), *data, end = chunks(encode_png(smooth(mode, (700, 500))))

    kind = {"L": 0, "RGB": 2, "RGBA": 6}[mode]
    assert (head, header) == (b"IHDR", struct.pack(">IIBBBBB", 700, 500, 8, kind, 0, 0, 0))
    assert {name for name, _ in data} == {b"IDAT"}
    assert end == (b"IEND", b"")
    rows = zlib.decompress(b"".join(contents for _, contents in data))
    assert len(rows) == 500 * (1 + 700 * CHANNELS[mode])


def test_an_opaque_picture_is_written_without_alpha() -> None:
    picture = smooth("RGB", (700, 500))

    shown = read(encode_png(picture.convert("RGBA")))

    assert (shown.mode, shown.tobytes()) == ("RGB", picture.tobytes())


def test_other_modes_are_no_pictures_of_this_kind() -> None:
    with pytest.raises(KeyError):
        encode_png(Image.new("CMYK", (1, 1)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("index", range(4))
def test_a_photo_takes_hardly_more_bytes_than_with_zlib(
    photos: list[Image.Image], mode: str, index: int
) -> None:
    photo = photos[index].convert(mode)
    if mode == "RGBA":
        photo.putalpha(smooth("RGBA", photo.size).getchannel("A"))
    buffer = BytesIO()
    black_where_hidden(photo).save(buffer, "PNG", compress_level=1)

    assert len(encode_png(photo)) < 1.05 * len(buffer.getvalue())


@pytest.mark.parametrize("axis", ["across", "down"])
def test_a_ramp_is_filtered_along_its_even_direction(axis: str) -> None:
    ramp = np.random.default_rng(0).integers(0, 256, 300, np.uint8)
    pixels = np.tile(ramp, (300, 1))

    picture = Image.fromarray(pixels if axis == "down" else pixels.T.copy())

    assert len(encode_png(picture)) < 2000


def test_a_large_picture_is_never_copied() -> None:
    picture = smooth("RGBA", (4000, 3000))

    tracemalloc.start()
    try:
        size = len(encode_png(picture))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2 * size + 16 * BAND_BYTES < 4000 * 3000 * 4


@pytest.mark.skipif(not shutil.which("convert"), reason="ImageMagick is not installed")
@pytest.mark.parametrize("mode", CHANNELS)
def test_libpng_reads_it_without_a_warning(mode: str) -> None:
    picture = smooth(mode, (321, 123))
    target = {"L": "gray:-", "RGB": "rgb:-", "RGBA": "rgba:-"}[mode]

    command = ["convert", "png:-", "-depth", "8", target]
    outcome = subprocess.run(command, input=encode_png(picture), capture_output=True, check=True)

    assert outcome.stderr == b""
    assert outcome.stdout == black_where_hidden(picture).tobytes()


@pytest.mark.parametrize(
    ("colour", "expected"),
    [((0, 0, 0, 1), (0, 0, 0, 1)), ((255, 255, 255, 0), (0, 0, 0, 0)), ((9, 8, 7, 1),) * 2],
)
def test_what_is_almost_seen_or_hidden_is_not_taken_for_the_other(
    colour: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    picture = Image.new("RGBA", (3, 1), (1, 2, 3, 4))
    picture.putpixel((1, 0), colour)

    assert read(encode_png(picture)).getpixel((1, 0)) == expected


def test_every_channel_has_its_part_in_choosing_a_filter() -> None:
    # Red is even along the rows, and all but even down the columns; green the other way round.
    rng = np.random.default_rng(0)
    pixels = np.full((300, 300, 4), 254, np.uint8)
    pixels[..., 0] = rng.integers(0, 2, (300, 1))
    pixels[..., 1] = rng.integers(0, 256, (1, 300))

    assert len(encode_png(Image.fromarray(pixels))) < 10_000


def test_it_is_packed_at_the_fastest_level_that_looks_for_repetitions() -> None:
    data = chunks(encode_png(smooth("RGB", (70, 50))))
    packed = b"".join(contents for kind, contents in data if kind == b"IDAT")

    assert packed == isal_zlib.compress(zlib.decompress(packed), 1)
