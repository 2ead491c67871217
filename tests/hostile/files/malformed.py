"""Malformed files: other kinds of files, polyglots, and malformed metadata beside sound pixels."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO

from tests.hostile.files.parts import (
    PNG_HEADER_END,
    chunk,
    directory,
    segment,
    tail_of,
    with_segments,
)
from tests.hostile.files.samples import samples

PAGE = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
SCRIPT = b"=1;alert(1)/*"
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
SVG = (
    b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text>&x;</text></svg>'
)
ORIENTATION, EXIF_IFD, INTEROPERABILITY, MAKER_NOTE = 0x0112, 0x8769, 0xA005, 0x927C


def malformed_files() -> Iterator[tuple[str, bytes]]:
    """Yield files by name."""
    yield from _other_kinds()
    yield from _polyglots()
    for name, exif in _hostile_exif():
        yield f"JPEG with EXIF: {name}", with_exif(exif)
        small = samples()["png"]
        extra = chunk(b"eXIf", exif)
        yield f"PNG with EXIF: {name}", small[:PNG_HEADER_END] + extra + small[PNG_HEADER_END:]
        yield f"EXIF as a TIFF: {name}", exif
    for name, profile in _hostile_profiles():
        yield f"JPEG with a profile: {name}", with_profile(profile)
        small = samples()["png"]
        extra = chunk(b"iCCP", b"p\0\0" + zlib.compress(profile))
        yield f"PNG with a profile: {name}", small[:PNG_HEADER_END] + extra + small[PNG_HEADER_END:]
    yield from _malformed_png()
    yield "TIFF of 5,000 pages", _pages(5000)
    yield "TIFF whose pages go in circles", _pages(2, circle=True)


def with_exif(exif: bytes) -> bytes:
    """Return a JPEG with this EXIF, in as many segments as it takes."""
    pieces = [exif[at : at + 65_000] for at in range(0, len(exif), 65_000)]
    return with_segments(
        samples()["jpeg"], *(segment(0xE1, b"Exif\0\0" + piece) for piece in pieces)
    )


def with_profile(profile: bytes) -> bytes:
    """Return a JPEG with this ICC profile."""
    pieces = [profile[at : at + 65_000] for at in range(0, len(profile), 65_000)] or [b""]
    head = b"ICC_PROFILE\0"
    return with_segments(
        samples()["jpeg"],
        *(
            segment(0xE2, head + bytes([number, len(pieces)]) + piece)
            for number, piece in enumerate(pieces, 1)
        ),
    )


def _other_kinds() -> Iterator[tuple[str, bytes]]:
    yield "nothing", b""
    yield "SVG", SVG
    yield "PDF", PDF
    yield "HTML", PAGE
    yield "EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run showpage\n"
    yield "Netpbm", b"P6 9999 9999 255\n"
    yield "icon", b"\0\0\1\0\1\0\1\1\0\0\1\0\x20\0" + bytes(60)
    yield "text", b"no picture at all" * 100
    yield "MP4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(200)
    for byte in (b"\0", b"\xff", b"\n"):
        yield f"{byte!r} a thousand times", byte * 1000


def _polyglots() -> Iterator[tuple[str, bytes]]:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as held:
        held.writestr("../../evil.sh", "rm -rf /")
    jpeg, png, gif = (samples()[name] for name in ("jpeg", "png", "gif"))
    yield "JPEG and zip", jpeg + archive.getvalue()
    yield "zip and JPEG", archive.getvalue() + jpeg
    yield "GIF and HTML", gif + PAGE
    yield "GIF and JavaScript", gif[:6] + SCRIPT + gif[6 + len(SCRIPT) :] + b"*/"
    yield "PDF and PNG", PDF + png
    yield "PNG and PDF", png[:-12] + chunk(b"prVt", PDF) + png[-12:]
    yield "JPEG and HTML", with_segments(jpeg, segment(0xFE, PAGE))
    for name, one in samples().items():
        yield f"{name} behind a JPEG's start", b"\xff\xd8\xff\xe0" + one
        yield f"{name} with rubbish behind", one + PAGE * 20


def _hostile_exif() -> Iterator[tuple[str, bytes]]:
    turned = (ORIENTATION, 3, 1, b"\6\0\0\0")
    yield "a pointer to itself", directory([turned, (EXIF_IFD, 4, 1, 8)])
    yield "interoperability in circles", directory([(INTEROPERABILITY, 4, 1, 8)])
    yield "following itself", directory([turned], following=8)
    yield "pointers beyond the end", directory([(EXIF_IFD, 4, 1, 0xFFFFFFFF), turned])
    yield "60,000 tags", directory([(tag, 3, 1, 1) for tag in range(300, 60_300)])
    size = 60_000
    yield (
        "5,000 tags of 60 KB each",
        directory([(tag, 7, size, tail_of(5000)) for tag in range(1000, 6000)], bytes(size)),
    )
    yield "a value of 4 GB", directory([(ORIENTATION, 7, 0xFFFFFFFF, 8)])
    yield "a million orientations", directory([(ORIENTATION, 3, 1 << 20, 26)], bytes(1 << 21))
    yield "an orientation of text", directory([(ORIENTATION, 2, 2, b"6\0\0\0")])
    yield (
        "an orientation as a fraction",
        directory([(ORIENTATION, 5, 1, tail_of(1))], struct.pack("<II", 6, 0)),
    )
    for kind in range(20):
        yield f"type {kind}", directory([(ORIENTATION, kind, 1, 6), (MAKER_NOTE, kind, 9, 8)])
        yield f"type {kind}, big-endian", directory([(ORIENTATION, kind, 2, 6)], order=">")


def _hostile_profiles() -> Iterator[tuple[str, bytes]]:
    sound = _sound_profile()
    yield "nothing", b""
    yield "rubbish", bytes(range(256)) * 20
    yield "rubbish of 2 MB", b"acsp" * (1 << 19)
    for at in range(0, len(sound), 8):
        for value in (0, 0xFFFFFFFF, 0x7FFFFFFF):
            yield (
                f"{value:x} at {at}",
                sound[:at] + struct.pack(">I", value) + sound[at + 4 :],
            )
    for end in range(0, len(sound), 16):
        yield f"cut at {end}", sound[:end]
    for space in (b"Lab ", b"XYZ ", b"CMYK", b"GRAY", b"6CLR", b"nope"):
        yield f"of {space!r}", sound[:16] + space + sound[20:]
    for kind in (b"link", b"abst", b"nmcl", b"scnr", b"prtr"):
        yield f"a {kind!r}", sound[:12] + kind + sound[16:]


def _sound_profile() -> bytes:
    jpeg = samples()["jpeg-metadata"]
    at = jpeg.index(b"ICC_PROFILE\0") + 14
    (length,) = struct.unpack_from(">I", jpeg, at)
    return jpeg[at : at + length]


def _malformed_png() -> Iterator[tuple[str, bytes]]:
    small = samples()["png"]
    for name, extra in {
        "gamma of zero": chunk(b"gAMA", bytes(4)),
        "gamma of 2^32": chunk(b"gAMA", b"\xff" * 4),
        "no gamma": chunk(b"gAMA", b""),
        "chromaticities of zero": chunk(b"cHRM", bytes(32)),
        "chromaticities cut short": chunk(b"cHRM", bytes(5)),
        "chromaticities of 2^32": chunk(b"cHRM", b"\xff" * 32),
        "unknown code points": chunk(b"cICP", b"\xff" * 4),
        "no code points": chunk(b"cICP", b""),
        "a palette in colours": chunk(b"PLTE", bytes(7)),
        "transparency cut short": chunk(b"tRNS", b"\0"),
        "transparency of 4 KB": chunk(b"tRNS", bytes(4096)),
        "a second header": chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 6, 0, 0, 0)),
        "animation of 2^32 frames": chunk(b"acTL", b"\xff" * 8),
        "no animation": chunk(b"acTL", b""),
        "frame elsewhere": chunk(b"fcTL", b"\xff" * 26),
        "pixels of no length": chunk(b"IDAT", b"") * 1000,
        "rubbish in text": chunk(b"zTXt", b"\xff" * 50) + chunk(b"iTXt", b"\0" * 3),
        "a wrong checksum": b"\0\0\0\1tEXta" + bytes(4),
        "a chunk of 4 GB": b"\xff\xff\xff\xfftEXt",
        "a chunk of no name": b"\0\0\0\0\0\0\0\0" + bytes(4),
    }.items():
        yield f"PNG with {name}", small[:PNG_HEADER_END] + extra + small[PNG_HEADER_END:]


def _pages(count: int, *, circle: bool = False) -> bytes:
    """Return a TIFF of pages of one pixel, each of its own directory."""
    page = 2 + 12 * 8 + 4
    out = [struct.pack("<2sHI", b"II", 42, 8)]
    for number in range(count):
        start = 8 + number * page
        last = number == count - 1
        following = (8 if circle else 0) if last else start + page
        values = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 4, 278: 1, 279: 1}
        out.append(struct.pack("<H", len(values)))
        out += [struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items()]
        out.append(struct.pack("<I", following))
    return b"".join(out)
