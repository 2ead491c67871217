"""The chunks of a PNG: those that its pixels need, and what the others say of its colours.

Of several of a kind the first counts, and only before the pixels, as in libpng and in browsers.
Format: https://www.w3.org/TR/png-3/.
"""

import struct
import zlib
from collections.abc import Iterator

from u2net_cutout.imaging.pixel_file import File, PixelFile, joined

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD_BYTES, CHECKSUM_BYTES = 8, 4
HEADER, PALETTE, CLEAR, PIXELS, END = b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"
END_CHUNK = b"\0\0\0\0IEND\xaeB`\x82"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
# ImageMagick wrote EXIF so, in hexadecimal digits, before PNG had a chunk for it.
HEX_EXIF = (b"Raw profile type exif\0", b"Raw profile type APP1\0")
# Numbers of fixed length, which nothing but their checksum proves.
NUMBERS = {b"cICP": 4, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}


def png_chunks(data: File) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk of a PNG; the last one may end beyond the file."""
    start, kind = len(PNG_SIGNATURE), b""
    while kind != END and start + HEAD_BYTES <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + HEAD_BYTES + length + CHECKSUM_BYTES
        yield kind, start, end
        start = end


def read_png(data: File, max_metadata_bytes: int) -> PixelFile:
    """Return header, palette, clear colour and pixels of a PNG, and what it says of its colours.

    An end that is missing is there again. Of an animation, that is the picture that any reader
    shows that knows no animations, whether it is one of the frames or not.
    """
    first: dict[bytes, tuple[int, int]] = {}
    pixels: list[tuple[int, int]] = []
    texts: list[tuple[bytes, int, int]] = []
    for kind, start, end in png_chunks(data):
        if kind == PIXELS:
            pixels.append((start, end))
        elif end > len(data):
            break
        elif kind in TEXTS:
            texts.append((kind, start, end))
        elif kind == b"eXIf" or not pixels:
            first.setdefault(kind, (start, end))
    spans = [first[kind] for kind in (HEADER, PALETTE, CLEAR) if kind in first] + pixels
    # What follows a chunk that is cut short would be read as the rest of it.
    whole = not pixels or pixels[-1][1] <= len(data)
    file = joined(PNG_SIGNATURE, data, spans, END_CHUNK if whole else b"")
    info, ignored = _texts(data, texts, max_metadata_bytes)
    info |= _numbers(data, first)
    if b"eXIf" in first:
        info["exif"] = _body(data, *first[b"eXIf"])
    if b"iCCP" in first and (profile := _profile(_body(data, *first[b"iCCP"]), max_metadata_bytes)):
        info["icc_profile"] = profile
    return PixelFile(file, info, ignored)


def _body(data: File, start: int, end: int) -> bytes:
    return bytes(data[start + HEAD_BYTES : end - CHECKSUM_BYTES])


def _numbers(data: File, first: dict[bytes, tuple[int, int]]) -> dict[str, object]:
    found = {}
    for kind, length in NUMBERS.items():
        if kind in first:
            start, end = first[kind]
            body, checksum = _body(data, start, end), data[end - CHECKSUM_BYTES : end]
            if len(body) == length and zlib.crc32(kind + body) == int.from_bytes(checksum, "big"):
                found[kind] = body
    info: dict[str, object] = {}
    if b"cICP" in found:
        info["cicp"] = tuple(found[b"cICP"])
    if b"sRGB" in found:
        info["srgb"] = found[b"sRGB"][0]
    if b"gAMA" in found:
        info["gamma"] = int.from_bytes(found[b"gAMA"], "big") / 100_000
    if b"cHRM" in found:
        levels = struct.unpack(">8I", found[b"cHRM"])
        info["chromaticity"] = tuple(level / 100_000 for level in levels)
    return info


def _profile(body: bytes, max_bytes: int) -> bytes | None:
    """Return the profile of iCCP; None if it is broken. Over so many bytes its start will do."""
    _, _, compressed = body.partition(b"\0")
    return _inflated(compressed[1:], max_bytes, whole=True) if compressed[:1] == b"\0" else None


def _texts(
    data: File, texts: list[tuple[bytes, int, int]], max_bytes: int
) -> tuple[dict[str, object], int]:
    """Return EXIF that is written as text, and the length of all texts, or above `max_bytes`."""
    info: dict[str, object] = {}
    length = 0
    for kind, start, end in texts:
        if length > max_bytes:
            break
        body = _body(data, start, end)
        text = _text(kind, body, max_bytes - length)
        length += len(text)
        if body.startswith(HEX_EXIF) and (exif := _from_hex(text)):
            info.setdefault("exif", exif)
    return info, length


def _text(kind: bytes, body: bytes, max_bytes: int) -> bytes:
    """Return what a chunk says, as far as it can be read, and no more than a byte too much."""
    _, _, text = body.partition(b"\0")
    if kind == b"zTXt":
        return _inflated(text[1:], max_bytes) or b""
    if kind == b"iTXt" and text[:1] == b"\1":  # then method, language, keyword and the text
        return _inflated(text.split(b"\0", 3)[-1], max_bytes) or b""
    return text


def _inflated(compressed: bytes, max_bytes: int, *, whole: bool = False) -> bytes | None:
    """Return what zlib packed, and no more than a byte too much; None if it is broken."""
    inflating = zlib.decompressobj()
    try:
        contents = inflating.decompress(compressed, max_bytes + 1)
    except zlib.error:
        return None
    return contents if inflating.eof or len(contents) > max_bytes or not whole else None


def _from_hex(text: bytes) -> bytes | None:
    """Return the bytes that follow a name and their number, each in a line of its own."""
    try:
        return bytes.fromhex("".join(text.decode("ascii").split("\n")[3:]))
    except ValueError:
        return None
