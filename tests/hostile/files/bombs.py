"""Small files that take much memory or time to decode."""

import gzip
import struct
import zlib
from collections.abc import Callable
from functools import partial

from PIL import Image

from tests.hostile.files.parts import (
    PNG_HEADER_END,
    chunk,
    directory,
    encoded,
    png,
    segment,
    tail_of,
    tiff,
    with_segments,
)
from tests.hostile.files.samples import HEIF, picture, samples

Files = dict[str, Callable[[], bytes]]

# Lengths in pixels of what is over the limit, of what is just within, and of the longest rows.
OVER, WITHIN, LONG = 20_000, 7211, 30_000


def bombs(*, full: bool) -> Files:
    """Return a function that makes each file, by name; without `full`, only the quick ones."""
    quick: Files = {
        "PNG bomb": lambda: _grey_png(OVER, OVER),
        "PNG of 52 megapixels": lambda: _grey_png(WITHIN, WITHIN),
        "TIFF bomb": lambda: tiff(OVER, OVER, zlib.compress(bytes(OVER)), compression=8),
        "TIFF of one pixel in a large tile": partial(_large_tile, 20_000),
        "TIFF of one pixel in a tile of gigabytes": partial(_large_tile, 60_000),
        "TIFF of one pixel in a tile of 2^32 pixels": partial(_large_tile, 1 << 16),
        "TIFF of 400,000 strips": partial(_strips, 400_000),
        "TIFF of 65,535 tags of the whole file": _overlapping_tags,
        "TIFF in LZW that repeats": lambda: encoded(
            Image.new("L", (WITHIN, WITHIN)), "TIFF", compression="tiff_lzw"
        ),
        "GIF bomb": lambda: _gif_screen(65_535, 65_535),
        "GIF of 52 megapixels": lambda: encoded(Image.new("L", (WITHIN, WITHIN)), "GIF"),
        "WebP of the largest size": lambda: encoded(
            Image.new("RGB", (16_383, 3174)), "WEBP", lossless=True, quality=0, method=0
        ),
        "WebP bomb": lambda: _webp_canvas(16_383, 16_383),
        "BMP bomb": lambda: _bmp(OVER, OVER),
        "PNG of 400,000 chunks": lambda: _with_chunks(chunk(b"prVt", b"") * 400_000),
        "PNG of 100,000 chunks": lambda: _with_chunks(chunk(b"prVt", b"") * 100_000),
        "GIF of a comment in 400,000 blocks": lambda: _gif_extension(b"\1a" * 400_000),
        "GIF of a comment of 10 MB": lambda: _gif_extension((b"\xff" + b"a" * 255) * 40_000),
        "JPEG of 400,000 segments": lambda: with_segments(
            samples()["jpeg"], b"\xff\xfe\0\2" * 400_000
        ),
        "JPEG of 5,000 scans": partial(_scans, "jpeg-progressive"),
        "MPO of 5,000 scans": _mpo_scans,
        "zip of gigabytes in a PNG's place": lambda: gzip.compress(bytes(1 << 24)),
        **{
            f"{side[0]} x {side[1]} {name}": partial(_long, file_format, side)
            for side in ((LONG, 1), (1, LONG), (70_000, 1), (1, 70_000), (1, 1))
            for name, file_format in (("PNG", "PNG"), ("TIFF", "TIFF"), ("BMP", "BMP"))
        },
        **{
            f"{side[0]} x {side[1]} {file_format}": partial(_long, file_format, side)
            for side in ((LONG, 1), (1, LONG), (1, 1))
            for file_format in ("JPEG", "GIF", "AVIF")
        },
        **{
            f"PNG whose {kind.decode()} is a bomb": partial(_text_bomb, kind)
            for kind in (b"zTXt", b"iTXt", b"iCCP")
        },
        "PNG of 60 texts of a megabyte": partial(_text_bomb, b"zTXt", 60),
    }
    slow: Files = {
        "AVIF bomb": lambda: _flat("AVIF", (8192, 8192)),
        "AVIF of 67 megapixels that claims 64 x 64": lambda: _claiming(
            _flat("AVIF", (8192, 8192)), 64
        ),
        "JPEG of 52 megapixels, progressive": lambda: encoded(
            Image.new("CMYK", (WITHIN, WITHIN)), "JPEG", progressive=True
        ),
    }
    if HEIF in Image.SAVE:
        slow["HEIC bomb"] = lambda: _claiming(_flat(HEIF, (2048, 2048)), 1 << 16)
        slow["HEIC of 4 megapixels that claims 64 x 64"] = lambda: _claiming(
            _flat(HEIF, (2048, 2048)), 64
        )
    return quick | slow if full else quick


def _grey_png(width: int, height: int) -> bytes:
    return png(width, height, bytes((width + 1) * height), kind=0)


def _large_tile(side: int) -> bytes:
    # What it holds would fill the first rows; the decoder makes room for all.
    tile = zlib.compress(bytes(1 << 24), 9)
    return tiff(1, 1, tile, compression=8, tile_width=side, tile_length=side)


def _strips(count: int) -> bytes:
    at = tail_of(9)
    numbers = {256: 1, 257: 2, 258: 8, 259: 1, 262: 1, 277: 1, 278: 1}
    entries = [(tag, 4, 1, value) for tag, value in numbers.items()]
    entries += [(273, 4, count, at), (279, 4, count, at)]
    return directory(sorted(entries), struct.pack("<I", 8) * count)


def _overlapping_tags() -> bytes:
    size = 400_000
    return directory([(tag, 7, size, 8) for tag in range(300, 65_000)])


def _gif_screen(width: int, height: int) -> bytes:
    gif = samples()["gif"]
    return gif[:6] + struct.pack("<HH", width, height) + gif[10:]


def _gif_extension(blocks: bytes) -> bytes:
    gif = samples()["gif"]
    palette = 13 + (3 << (gif[10] & 7) + 1)
    return gif[:palette] + b"!\xfe" + blocks + b"\0" + gif[palette:]


def _webp_canvas(width: int, height: int) -> bytes:
    webp = bytearray(samples()["webp-animated"])
    webp[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(webp)


def _bmp(width: int, height: int) -> bytes:
    bmp = samples()["bmp"]
    return bmp[:18] + struct.pack("<ii", width, height) + bmp[26:]


def _with_chunks(chunks: bytes) -> bytes:
    small = samples()["png"]
    return small[:PNG_HEADER_END] + chunks + small[PNG_HEADER_END:]


def _text_bomb(kind: bytes, count: int = 1) -> bytes:
    packed = zlib.compress(bytes((1 << 20) - 1 if count > 1 else 1 << 26), 9)
    head = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}[kind]
    return _with_chunks(chunk(kind, head + packed) * count)


def _scans(name: str) -> bytes:
    jpeg = samples()[name]
    return jpeg[:-2] + jpeg[jpeg.rindex(b"\xff\xda") : -2] * 5000 + b"\xff\xd9"


def _mpo_scans() -> bytes:
    several = samples()["mpo"]
    at = several.index(b"MPF\0")
    length = int.from_bytes(several[at - 2 : at], "big")
    return with_segments(_scans("jpeg-progressive"), segment(0xE2, several[at : at - 2 + length]))


def _long(file_format: str, size: tuple[int, int]) -> bytes:
    return encoded(Image.new("L", size, 99), file_format)


def _flat(file_format: str, size: tuple[int, int]) -> bytes:
    options = {"speed": 10} if file_format == "AVIF" else {}
    return encoded(Image.new("RGB", size, "teal"), file_format, quality=10, **options)


def _claiming(data: bytes, side: int) -> bytes:
    """Return an AVIF or HEIC file that claims a square of another size."""
    pieces = data.split(b"ispe")
    size = bytes(4) + struct.pack(">II", side, side)
    return pieces[0] + b"".join(b"ispe" + size + piece[12:] for piece in pieces[1:])


def animations(*, frames: int) -> Files:
    """Return functions that make animations of so many frames, by name."""

    def animated(file_format: str) -> bytes:
        pictures = [picture("RGB").resize((8, 8))]
        pictures += [Image.new("RGB", (8, 8), (n % 256, n >> 8, 0)) for n in range(frames - 1)]
        options = {"speed": 10} if file_format == "AVIF" else {}
        return encoded(
            pictures[0], file_format, save_all=True, append_images=pictures[1:], **options
        )

    return {
        f"{file_format} of {frames} frames": partial(animated, file_format)
        for file_format in ("GIF", "WEBP", "PNG", "AVIF")
    }
