"""Small pictures whose metadata is broken at random, written from the formats' own texts."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Draw = Callable[[st.SearchStrategy[Any]], Any]
Part = tuple[bytes, bytes]
"""Kind and contents of a chunk or segment."""

HEIGHT, WIDTH = 9, 13
# EXIF whose only entry is a date, and XMP and a profile that say nothing.
EXIF = b"II*\0\x08\0\0\0\1\0\x32\x01\2\0\x14\0\0\0\x1a\0\0\0\0\0\0\0" + b"2026:11:30 12:00:00\0"
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def picture() -> Pixels:
    """Return RGB levels that differ everywhere."""
    levels = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    levels[:, :4] = (250, 20, 30)
    return levels


def saved(levels: Pixels, file_format: str, **options: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(levels).save(buffer, file_format, **options)
    return buffer.getvalue()


def shown(file: bytes) -> Pixels:
    """Return what Pillow, which knows nothing of this product, shows of a sound file."""
    with Image.open(BytesIO(file)) as opened:
        return np.asarray(opened.convert("RGB"))


def broken_body(draw: Draw, body: bytes, head: int = 0) -> bytes:
    """Cut contents, lengthen or garble them, beyond a name of so many bytes or within it."""
    keep: int = draw(st.sampled_from([0, head, len(body) // 2, max(len(body) - 1, 0)]))
    tail: bytes = draw(st.one_of(st.just(b""), st.binary(max_size=40), st.just(bytes(3000))))
    return body[:keep] + tail


def broken_parts(draw: Draw, parts: list[Part], kinds: st.SearchStrategy[bytes]) -> list[Part]:
    """Break one to three parts: contents, kind, or both; some are there several times."""
    result = list(parts)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(result) - 1))
        kind, body = result[at]
        how = draw(st.sampled_from(["contents", "kind", "double", "empty"]))
        if how == "contents":
            head = body.find(b"\0") + 1
            result[at] = kind, broken_body(draw, body, head)
        elif how == "kind":
            result[at] = draw(kinds), body
        elif how == "double":
            result.insert(draw(st.integers(0, len(result))), (kind, broken_body(draw, body)))
        else:
            result[at] = kind, b""
    return result


def placed(draw: Draw, needed: list[bytes], others: list[bytes]) -> bytes:
    """Join parts in their order, with others anywhere behind the first of them."""
    result = list(needed)
    for other in others:
        result.insert(draw(st.integers(1, len(result))), other)
    return b"".join(result)


PNG_PARTS: list[Part] = [
    (b"tEXt", b"Comment\0hello"),
    (b"zTXt", b"Comment\0\0" + zlib.compress(b"hello" * 99)),
    (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)),
    (b"iTXt", b"Comment\0\0\0en\0\0hello"),
    (b"eXIf", EXIF),
    (b"pHYs", struct.pack(">IIB", 2835, 2835, 1)),
    (b"tIME", struct.pack(">H5B", 2026, 11, 30, 12, 0, 0)),
    (b"bKGD", struct.pack(">3H", 255, 255, 255)),
    (b"sBIT", b"\x08\x08\x08"),
    (b"sPLT", b"name\0\x08" + bytes(6)),
    (b"hIST", bytes(8)),
    (b"oFFs", bytes(9)),
    (b"acTL", struct.pack(">II", 2, 0)),
    (b"fcTL", struct.pack(">5I2H2B", 0, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0)),
    (b"fdAT", struct.pack(">I", 1) + zlib.compress(bytes(HEIGHT * (1 + 3 * WIDTH)))),
    (b"prVt", bytes(20)),
]
# What pixels need, and what says how they are shown.
PNG_MEANT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
PNG_MEANT |= {b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"}


def png_chunk(kind: bytes, body: bytes, wrong: int = 0) -> bytes:
    checksum = zlib.crc32(kind + body) ^ wrong
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def broken_png(draw: Draw) -> tuple[bytes, Pixels]:
    levels = picture()
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in levels))
    half = len(rows) // 2
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    needed = [b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)]
    needed += [png_chunk(b"IDAT", rows[:half]), png_chunk(b"IDAT", rows[half:])]
    if draw(st.booleans()):
        needed.append(png_chunk(b"IEND", b""))
    kinds = st.binary(min_size=4, max_size=4).filter(lambda kind: kind not in PNG_MEANT)
    parts = broken_parts(draw, draw(some(PNG_PARTS)), kinds)
    wrong = st.sampled_from([0, 0, 1, 0xFFFFFFFF])
    chunks = [png_chunk(kind, body, draw(wrong)) for kind, body in parts]
    return placed(draw, needed, chunks), levels


def some(parts: list[Part]) -> st.SearchStrategy[list[Part]]:
    return st.lists(st.sampled_from(parts), min_size=1, max_size=4)


JPEG_PARTS: list[Part] = [
    (b"\xe0", b"JFIF\0\1\2\1\0\x48\0\x48\0\0"),
    (b"\xe1", b"Exif\0\0" + EXIF),
    (b"\xe1", b"http://ns.adobe.com/xap/1.0/\0" + XMP),
    (b"\xe2", b"MPF\0II*\0\x08\0\0\0" + bytes(40)),
    (b"\xe2", b"FPXR\0" + bytes(9)),
    (b"\xe2", b"ICC_PROFILE\0\1\2" + bytes(40)),
    (b"\xeb", b"JP\0\0" + bytes(40)),
    (b"\xed", b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\x10" + bytes(16)),
    (b"\xee", b"Adobe\0\x64\0\0\0\0\1"),
    (b"\xef", bytes(9)),
    (b"\xfe", b"hello"),
]


def _says_rgb(body: bytes) -> bool:
    """Say whether Adobe's marker, which pixels need, calls them RGB, and not luma and chroma."""
    return body[11:12] not in (b"", b"\1")


def broken_jpeg(draw: Draw) -> tuple[bytes, Pixels]:
    whole = saved(picture(), "JPEG", quality=95, progressive=draw(st.booleans()))
    start = 2 + 2 + int.from_bytes(whole[4:6], "big")  # behind JFIF
    tables = whole.index(b"\xff\xc4")
    needed = [whole[:2], whole[start:tables], whole[tables:]]
    markers = st.sampled_from([bytes([marker]) for marker in (*range(0xE0, 0xF0), 0xFE)])
    segments = [
        b"\xff" + marker + struct.pack(">H", len(body) + 2) + body
        for marker, body in broken_parts(draw, draw(some(JPEG_PARTS)), markers)
        if not (marker == b"\xee" and body.startswith(b"Adobe") and _says_rgb(body))
    ]
    end = draw(st.sampled_from([b"", b"", b"\0" * 99, b"\xff" * 9, b"\r\n", whole]))
    return placed(draw, needed, segments) + end, shown(whole)


WEBP_PARTS: list[Part] = [
    (b"EXIF", b"Exif\0\0" + EXIF),
    (b"EXIF", EXIF),
    (b"XMP ", XMP),
    (b"ICCP", bytes(129)),
    (b"prVt", bytes(7)),
]
WEBP_MEANT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}


def riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def broken_webp(draw: Draw) -> tuple[bytes, Pixels]:
    levels = picture()
    pixels = saved(levels, "WEBP", lossless=True)[12:]
    flags = draw(st.integers(0, 255)) & ~0x12  # neither alpha nor animation
    features = bytes([flags, 0, 0, 0]) + (WIDTH - 1).to_bytes(3, "little")
    features += (HEIGHT - 1).to_bytes(3, "little")
    needed = [b"WEBP", riff_chunk(b"VP8X", features), pixels]
    kinds = st.binary(min_size=4, max_size=4).filter(lambda kind: kind not in WEBP_MEANT)
    parts = broken_parts(draw, draw(some(WEBP_PARTS)), kinds)
    body = placed(draw, needed, [riff_chunk(*part) for part in parts])
    lengths = [len(body), len(body), len(body) + 1, len(body) - 2, 0, 2**32 - 10]
    length = draw(st.sampled_from(lengths))
    end = draw(st.sampled_from([b"", b"", bytes(99), b"XMP \xff\xff\xff\xff"]))
    return b"RIFF" + struct.pack("<I", length) + body + end, levels


GIF_PARTS: list[Part] = [
    (b"\xfe", b"\5hello\0"),
    (b"\xff", b"\x0bNETSCAPE2.0\3\1\0\0\0"),
    (b"\xff", b"\x0bXMP DataXMP" + XMP + b"\1" + bytes(range(255, -1, -1)) + b"\0"),
    (b"\xff", b"\x0bICCRGBG1012\4abcd\0"),
    (b"\x01", b"\x0c" + bytes(12) + b"\1a\0"),
]


def broken_gif(draw: Draw) -> tuple[bytes, Pixels]:
    with Image.fromarray(picture()).quantize(16) as few:
        buffer = BytesIO()
        few.save(buffer, "GIF")
        levels = np.asarray(few.convert("RGB"))
    whole = buffer.getvalue()
    behind = 13 + (3 << (whole[10] & 7) + 1)
    extensions = []
    for _ in range(draw(st.integers(1, 4))):
        label, body = draw(st.sampled_from(GIF_PARTS))
        blocks = draw(st.lists(st.binary(min_size=1, max_size=12), max_size=3))
        garbled = b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
        label = draw(st.sampled_from([label, b"\0", b"\x7f", b"\xaa"]))
        extensions.append(b"!" + label + draw(st.sampled_from([body, garbled, b"\0"])))
    end = draw(st.sampled_from([b"", b"", bytes(9), b"garbage"]))
    pixels = whole[behind : len(whole) - draw(st.integers(0, 1))]
    return whole[:behind] + b"".join(extensions) + pixels + end, levels


def broken_bmp(draw: Draw) -> tuple[bytes, Pixels]:
    levels = picture()
    header_bytes = draw(st.sampled_from([40, 108, 124]))
    rows = [row[:, ::-1].tobytes().ljust(-(-3 * WIDTH // 4) * 4, b"\0") for row in levels[::-1]]
    pixels = b"".join(rows)
    number = st.integers(0, 2**32 - 1)
    info = struct.pack("<IiiHHI", header_bytes, WIDTH, HEIGHT, 1, 24, 0)
    info += b"".join(struct.pack("<I", draw(number)) for _ in range(5))
    rest = header_bytes - len(info)
    info += draw(st.binary(min_size=rest, max_size=rest))
    head = b"BM" + struct.pack("<III", draw(number), draw(number), 14 + header_bytes)
    end = draw(st.sampled_from([b"", bytes(9), b"profile" * 99]))
    return head + info + pixels + end, levels


# Tag, type, number of values, contents: in ASCII, numbers, fractions, bytes.
TIFF_TAGS: list[tuple[int, int, int, bytes]] = [
    (270, 2, 12, b"description\0"),
    (271, 2, 7, b"camera\0"),
    (282, 5, 1, bytes(4) + b"\1\0\0\0"),
    (305, 2, 5, b"maker"),
    (306, 2, 20, b"2026:11:30 12:00:00\0"),
    (315, 2, 4, b"name"),
    (700, 1, len(XMP), XMP),
    (33723, 7, 9, bytes(9)),
    (34377, 1, 12, b"8BIM" + bytes(8)),
    (34665, 4, 1, b"\x08\0\0\0"),
    (34853, 13, 1, b"\x08\0\0\0"),
    (37724, 7, 40, bytes(40)),
    (65000, 12, 2, bytes(16)),
]
TIFF_MEANT = {
    *(254, 255, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320),
    *(322, 323, 324, 325, 330, 338, 339, 347, 529, 530, 531, 532, 32997, 32998, 33421, 33422),
    *(34675, 48129, 50674, 50706, *range(512, 522)),
}


def broken_tiff(draw: Draw) -> tuple[bytes, Pixels]:
    levels = picture()
    order = draw(st.sampled_from("<>"))
    big = order == "<" and draw(st.booleans())
    pointer, room = ("Q", 8) if big else ("I", 4)
    head = (b"II" if order == "<" else b"MM") + struct.pack(
        order + ("HHHQ" if big else "HI"), *((43, 8, 0, 16) if big else (42, 8))
    )
    needed = [
        *((256, WIDTH), (257, HEIGHT), (258, 8), (259, 1), (262, 2), (277, 3), (278, HEIGHT)),
        *((279, levels.nbytes), (284, 1)),
    ]
    tags = [(tag, 4, 1, struct.pack(order + "I", value)) for tag, value in needed]
    others = draw(st.lists(st.sampled_from(TIFF_TAGS), min_size=1, max_size=4))
    places = st.sampled_from([None, None, 2**31, 2**32 - 1, 0, 7])
    forced: dict[int, int | None] = {}
    for tag, kind, count, body in others:
        how = draw(st.sampled_from(["tag", "type", "count", "place"]))
        if how == "tag":
            tag = draw(st.integers(0, 65535).filter(lambda tag: tag not in TIFF_MEANT))
        elif how == "type":
            kind = draw(st.integers(0, 65535))
        elif how == "count":
            count = draw(st.one_of(st.integers(0, 2**32 - 1), st.just(0)))
        tags.insert(draw(st.integers(0, len(tags))), (tag, kind, count, body))
        forced[tag] = draw(places) if how == "place" else None
    entry = 2 + 2 + room + room
    count_bytes = 8 if big else 2
    end = len(head) + count_bytes + (len(tags) + 1) * entry + room
    directory, tail = struct.pack(order + ("Q" if big else "H"), len(tags) + 1), b""
    pixels_at = struct.pack(order + pointer, end)
    tail = levels.tobytes()
    tags.insert(0, (273, 16 if big else 4, 1, pixels_at))
    for tag, kind, count, body in tags:
        directory += struct.pack(order + "HH" + pointer, tag, kind, count)
        if forced.get(tag) is not None:
            directory += struct.pack(order + pointer, forced[tag])
        elif len(body) <= room:
            directory += body.ljust(room, b"\0")
        else:
            directory += struct.pack(order + pointer, end + len(tail))
            tail += body
    following = draw(st.sampled_from([0, 8, 2**31]))
    return head + directory + struct.pack(order + pointer, following) + tail, levels


def broken_boxes(file_format: str) -> Callable[[Draw], tuple[bytes, Pixels]]:
    """Return what breaks the EXIF and XMP of AVIF or HEIC, in their places."""
    exif, xmp = b"Exif\0\0" + EXIF, XMP * 3
    file = saved(picture(), file_format, quality=90, exif=exif, xmp=xmp)
    expected = shown(saved(picture(), file_format, quality=90))

    def draw_file(draw: Draw) -> tuple[bytes, Pixels]:
        data = bytearray(file)
        for body in draw(st.sampled_from([(EXIF,), (xmp,), (EXIF, xmp)])):
            at = file.index(body)
            first = draw(st.integers(0, len(body) - 1))
            garbage = draw(st.binary(min_size=1, max_size=len(body) - first))
            data[at + first : at + first + len(garbage)] = garbage
        if draw(st.booleans()):
            # Where the item lies, as far as it stands in the file: beyond its end.
            where = struct.pack(">I", len(xmp))
            at = file.rindex(where, 0, file.index(b"mdat"))
            data[at : at + 4] = struct.pack(">I", draw(st.integers(0, 2**32 - 1)))
        end = [
            b"",
            b"",
            bytes(9),
            b"garbage" * 9,
            struct.pack(">I4s", 99, b"free"),
            b"\0\0\0\x08uuid",
        ]
        return bytes(data) + draw(st.sampled_from(end)), expected

    return draw_file
