"""Files of every depth, written by tifffile and by hand: Pillow writes few of them."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from u2net_cutout.contract.errors import UnsupportedPicture
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.bit_depth import stored_as
from u2net_cutout.imaging.decoding import decode_image

GREY, RGB, GREY_AND_ALPHA, RGBA = 0, 2, 4, 6


def png(
    width: int, depth: int, kind: int, row: bytes, clear: bytes = b"", *more: tuple[bytes, bytes]
) -> bytes:
    """Return a PNG of one row."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, kind, 0, 0, 0)), *more]
    chunks += [(b"tRNS", clear)] if clear else []
    chunks += [(b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def tiff(samples: npt.NDArray[Any], **options: Any) -> bytes:
    buffer = BytesIO()
    tifffile.imwrite(buffer, samples, **options)
    return buffer.getvalue()


def row_of(picture: Image.Image) -> list[list[int]]:
    pixels: list[list[int]] = np.asarray(picture)[0].tolist()
    return pixels


@pytest.fixture
def colours() -> npt.NDArray[np.uint16]:
    """(8, 16, 4) levels all through 16 bits."""
    return np.linspace(0, 65535, 8 * 16 * 4).astype(np.uint16).reshape(8, 16, 4)


@pytest.mark.parametrize(
    ("kind", "channels"), [(GREY, 1), (RGB, 3), (GREY_AND_ALPHA, 2), (RGBA, 4)]
)
def test_a_16_bit_png_is_scaled_to_within_a_level(limits: Limits, kind: int, channels: int) -> None:
    samples = np.linspace(0, 65535, 256 * channels).round().astype(">u2").reshape(-1, channels)

    decoded = decode_image(png(256, 16, kind, samples.tobytes()), limits)

    alpha = kind in (GREY_AND_ALPHA, RGBA)
    assert decoded.mode == ("RGBA" if alpha else "RGB")
    exact = samples / 257
    if kind in (GREY, GREY_AND_ALPHA):
        exact = np.concatenate([exact[:, :1].repeat(3, axis=1), exact[:, 1:]], axis=1)
    assert np.abs(np.asarray(decoded)[0] - exact).max() < 1


def test_16_bit_grey_is_rounded(limits: Limits) -> None:
    samples = np.arange(65536, dtype=">u2")

    decoded = decode_image(png(65536, 16, GREY, samples.tobytes()), limits)

    assert np.abs(np.asarray(decoded)[0, :, 0] - samples / 257).max() <= 0.5


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (png(2, 1, GREY, b"\x40", b"\0\1"), [[0, 0, 0, 255], [255, 255, 255, 0]]),
        (png(2, 2, GREY, b"\x60", b"\0\1"), [[85, 85, 85, 0], [170, 170, 170, 255]]),
        (png(2, 4, GREY, b"\xf3", b"\0\x0f"), [[255, 255, 255, 0], [51, 51, 51, 255]]),
        (png(2, 8, GREY, b"\x10\x20", b"\0\x20"), [[16, 16, 16, 255], [32, 32, 32, 0]]),
        (
            png(3, 16, GREY, b"\x12\x33\x12\x34\x12\x35", b"\x12\x34"),
            [[18, 18, 18, 255], [18, 18, 18, 0], [18, 18, 18, 255]],
        ),
        (png(1, 8, RGB, b"\1\2\3", b"\0\1\0\2\0\3"), [[1, 2, 3, 0]]),
        # All but the first differ from the clear colour in one byte, a lower or an upper one, by
        # one up or down.
        (
            png(
                5,
                16,
                RGB,
                b"\x12\x35\x56\x79\x9a\xbd"
                b"\x12\x35\x56\x7a\x9a\xbd\x12\x35\x56\x78\x9a\xbd"
                b"\x12\x35\x56\x79\x9b\xbd\x12\x35\x56\x79\x99\xbd",
                b"\x12\x35\x56\x79\x9a\xbd",
            ),
            [[18, 86, 154, 0], *([18, 86, blue, 255] for blue in (154, 154, 155, 153))],
        ),
    ],
    ids=["1 bit", "2 bits", "4 bits", "8 bits", "16 bits", "RGB", "RGB of 16 bits"],
)
def test_a_clear_level_of_any_depth_is_clear(
    limits: Limits, data: bytes, expected: list[list[int]]
) -> None:
    assert row_of(decode_image(data, limits)) == expected


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planes", [False, True], ids=["interleaved", "planes"])
@pytest.mark.parametrize("channels", [3, 4], ids=["RGB", "RGBA"])
def test_a_16_bit_tiff_is_scaled_to_within_a_level(
    limits: Limits,
    colours: npt.NDArray[np.uint16],
    byteorder: str,
    compression: str | None,
    planes: bool,
    channels: int,
) -> None:
    samples = colours[..., :channels]
    data = tiff(
        np.ascontiguousarray(samples.transpose(2, 0, 1)) if planes else samples,
        photometric="rgb",
        planarconfig="separate" if planes else "contig",
        extrasamples=[2] if channels == 4 else None,
        byteorder=byteorder,
        compression=compression,
    )

    decoded = decode_image(data, limits)

    assert np.abs(np.asarray(decoded) - samples / 257).max() < 1


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_is_read_whichever_end_is_white(
    limits: Limits, colours: npt.NDArray[np.uint16], photometric: str, kind: type
) -> None:
    samples: npt.NDArray[Any] = (colours[..., 0] // (257 if kind is np.uint8 else 1)).astype(kind)

    decoded = np.asarray(decode_image(tiff(samples, photometric=photometric), limits))[..., 0]

    exact = samples / (1 if kind is np.uint8 else 257)
    assert np.abs(decoded - (255 - exact if photometric == "miniswhite" else exact)).max() <= 0.5


def test_16_bit_inks_are_scaled(limits: Limits) -> None:
    inks = np.array([[[0, 65535, 65535, 0], [0, 0, 0, 32768]]], np.uint16)

    decoded = decode_image(tiff(inks, photometric="separated"), limits)

    assert row_of(decoded) == [[255, 0, 0], [127, 127, 127]]


def test_lab_is_read(limits: Limits) -> None:
    lab = np.array([[[255, 0, 0], [137, 0, 0], [138, 81, 70]]], np.uint8)

    decoded = decode_image(tiff(lab, photometric="cielab"), limits)

    # sRGB's red is Lab (54.3, 81, 70) and its middle grey (53.6, 0, 0); 256 levels are coarse.
    assert np.abs(np.asarray(decoded, int)[0] - [[255] * 3, [128] * 3, [255, 0, 0]]).max() <= 5


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_floats_from_0_to_1_are_grey(
    limits: Limits, photometric: str, byteorder: str, compression: str | None
) -> None:
    levels = np.linspace(0, 1, 1000, dtype=f"{byteorder}f4")[None]
    data = tiff(levels, photometric=photometric, byteorder=byteorder, compression=compression)

    decoded = np.asarray(decode_image(data, limits))[0, :, 0]

    exact = (1 - levels[0] if photometric == "miniswhite" else levels[0]) * 255.0
    assert np.abs(decoded - exact).max() <= 0.51


@pytest.mark.parametrize("level", [-0.5 / 255, -0.00196, 1.00196, 1 + 0.5 / 255])
def test_a_float_that_rounds_to_black_or_white_may_lie_beyond(limits: Limits, level: float) -> None:
    data = tiff(np.array([[0.5, level]], np.float32), photometric="minisblack")

    assert row_of(decode_image(data, limits)) == [[128] * 3, [255 * (level > 0)] * 3]


@pytest.mark.parametrize("level", [-0.001962, 1.001962, 255, np.nan, np.inf, -np.inf])
def test_floats_beyond_0_to_1_are_refused(limits: Limits, level: float) -> None:
    data = tiff(np.array([[0.5, level]], np.float32), photometric="minisblack")

    with pytest.raises(UnsupportedPicture, match="not all from 0 to 1"):
        decode_image(data, limits)


@pytest.mark.parametrize(("scale", "top"), [(257, 255), (256, 255), (256, 1), (1, 255), (1, 200)])
def test_a_palette_of_16_or_8_bits_has_its_colours(limits: Limits, scale: int, top: int) -> None:
    reds = np.linspace(0, top, 256).astype(np.uint16)
    colour_map = np.stack([reds, reds[::-1], np.full(256, 9, np.uint16)]) * scale
    indices = np.arange(256, dtype=np.uint8)[None]
    data = tiff(indices, photometric="palette", colormap=colour_map)

    decoded = decode_image(data, limits)

    assert np.abs(np.asarray(decoded, int)[0] - colour_map.T // scale).max() == 0


def tiff_row(width: int, row: bytes, tags: dict[int, int]) -> bytes:
    """Return a TIFF of one row of up to 4 bytes, with no tags but those and what a row needs."""
    tags = dict(sorted({256: width, 257: 1, 273: 8, 278: 1, 279: len(row), **tags}.items()))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 12) + row.ljust(4, b"\0") + directory


@pytest.mark.parametrize(
    ("photometric", "white"), [({262: 1}, 1), ({262: 0}, 0), ({}, 0)], ids=["one", "zero", "none"]
)
def test_a_plane_has_one_bit_where_no_tag_says_otherwise(
    limits: Limits, photometric: dict[int, int], white: int
) -> None:
    planes = {284: 2}

    decoded = decode_image(tiff_row(8, b"\xa5", photometric | planes), limits)

    bits = np.array([1, 0, 1, 0, 0, 1, 0, 1])
    assert np.array_equal(np.asarray(decoded)[0, :, 0], 255 * (bits == white))


@pytest.mark.parametrize(
    ("row", "levels"), [(b"\xff\xf8\x00", [255, 128]), (b"\x80\x8f\x0f", [128, 240])]
)
def test_grey_of_12_bits_is_rounded(limits: Limits, row: bytes, levels: list[int]) -> None:
    decoded = decode_image(tiff_row(2, row, {258: 12, 262: 1}), limits)

    # 4095, 2048, 2056 and 3855 of 4095.
    assert np.asarray(decoded)[0, :, 0].tolist() == levels


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (png(1, 16, RGB, bytes(6)), "RGB;16B"),
        (png(4, 2, GREY, b"\0"), "L;2"),
        (tiff_row(4, bytes(4), {258: 8, 262: 0}), "L;I"),
    ],
)
def test_how_levels_are_stored_has_a_name(data: bytes, name: str) -> None:
    with Image.open(BytesIO(data)) as picture:
        assert stored_as(picture) == name
    assert stored_as(Image.new("L", (1, 1))) == ""


@pytest.mark.parametrize("further", [20, 200_000])
def test_of_one_channel_the_first_depth_counts(limits: Limits, further: int) -> None:
    samples = np.linspace(0, 65535, 8 * 8).astype(np.uint16).reshape(8, 8)
    file = bytearray(tiff(samples, byteorder="<"))
    at = file.index(struct.pack("<HHIHH", 258, 3, 1, 16, 0))
    struct.pack_into("<HII", file, at + 2, 4, 2, len(file))
    odd = bytes(file) + struct.pack("<II", 16, further)

    decoded = decode_image(odd, limits)

    assert np.abs(np.asarray(decoded)[..., 0] - samples / 257).max() <= 0.5
