import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.u2net_cutout.imaging.broken_files import HEIGHT, WIDTH, picture, riff_chunk, saved, shown
from tests.u2net_cutout.imaging.test_decoding import TURNED
from u2net_cutout.contract.errors import TooManyParts, UnreadableImage
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image
from u2net_cutout.imaging.icc_profile import PRIMARIES, matrix_profile
from u2net_cutout.imaging.webp_chunks import read_webp, webp_chunks

LEVELS = picture()
KINDS: dict[str, dict[str, Any]] = {"lossless": {"lossless": True}, "lossy": {"quality": 80}}


def webp(kind: str, *behind: bytes, flags: int = 0x0C, before: bytes = b"") -> bytes:
    """Return a file with the features that promise EXIF and XMP."""
    sides = (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
    features = riff_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides)
    pixels = saved(LEVELS, "WEBP", **KINDS[kind])[12:]
    body = b"".join([b"WEBP", features, before, pixels, *behind])
    return b"RIFF" + struct.pack("<I", len(body)) + body


def read(file: bytes, limits: Limits) -> np.ndarray:
    return np.asarray(decode_image(file, limits))


@pytest.mark.parametrize("kind", KINDS)
def test_a_webp_is_read_that_is_cut_behind_its_pixels(limits: Limits, kind: str) -> None:
    exif, xmp = riff_chunk(b"EXIF", bytes(40)), riff_chunk(b"XMP ", bytes(30))
    expected = shown(saved(LEVELS, "WEBP", **KINDS[kind]))
    whole = webp(kind, exif, xmp)

    for lacking in range(len(exif + xmp) + 1):
        assert np.array_equal(read(whole[: len(whole) - lacking], limits), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_webp_is_refused_that_is_cut_in_its_pixels(limits: Limits, kind: str) -> None:
    whole = webp(kind)
    at = whole.index(b"VP8", 30)
    (length,) = struct.unpack_from("<I", whole, at + 4)

    for lacking in range(1 + length % 2, length):
        with pytest.raises(UnreadableImage, match="last row"):
            decode_image(whole[:-lacking], limits)


@pytest.mark.parametrize("flags", [0, 0x01, 0x2D, 0xC0, 0xED])
@pytest.mark.parametrize("length", [0, 30, 2**32 - 10])
def test_flags_and_length_that_lie_do_not_count(limits: Limits, flags: int, length: int) -> None:
    whole = webp("lossless", flags=flags)
    file = whole[:4] + struct.pack("<I", length) + whole[8:]

    assert np.array_equal(read(file, limits), LEVELS)


def test_metadata_counts_before_and_behind_the_pixels(limits: Limits) -> None:
    exif = riff_chunk(b"EXIF", TURNED)
    profile = riff_chunk(b"ICCP", matrix_profile(PRIMARIES[12], 2.2) or b"")
    turned = np.rot90(LEVELS, -1)

    assert np.array_equal(read(webp("lossless", exif), limits), turned)
    assert np.array_equal(read(webp("lossless", before=exif), limits), turned)
    converted = read(webp("lossless", before=profile), limits)
    assert not np.array_equal(converted, LEVELS)
    assert np.array_equal(read(webp("lossless", profile), limits), converted)


def test_transparency_stays(limits: Limits) -> None:
    levels = np.dstack([LEVELS, LEVELS[..., 0]])
    for options in KINDS.values():
        file = saved(levels, "WEBP", exact=True, exif=b"Exif\0\0" + bytes(20), **options)

        assert np.array_equal(read(file, limits)[..., 3], levels[..., 3])


def test_of_an_animation_that_is_cut_the_first_frame_is_read(limits: Limits) -> None:
    whole = saved(LEVELS, "WEBP", lossless=True)
    buffer = BytesIO()
    frames = [Image.fromarray(levels) for levels in (LEVELS, LEVELS[::-1])]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], lossless=True)

    assert np.array_equal(read(buffer.getvalue()[:-20], limits)[..., :3], shown(whole))
    with pytest.raises(UnreadableImage, match="last row"):
        decode_image(buffer.getvalue()[:200], limits)


def test_a_webp_of_nothing_but_chunks_is_refused(limits: Limits) -> None:
    hostile = webp("lossless", before=riff_chunk(b"prVt", b"") * (limits.max_parts + 1))

    with pytest.raises(TooManyParts):
        decode_image(hostile, limits)


def test_a_file_without_a_picture_is_unreadable(limits: Limits) -> None:
    with pytest.raises(UnreadableImage):
        decode_image(b"RIFF\x10\0\0\0WEBPVP8X\0\0\0\0", limits)


EXIF, OTHER = riff_chunk(b"EXIF", b"exif!"), riff_chunk(b"EXIF", b"other")
PROFILE, XMP = riff_chunk(b"ICCP", b"profile"), riff_chunk(b"XMP ", b"xmp")
PIXELS = saved(LEVELS, "WEBP", lossless=True)[12:]


def joined(*parts: bytes) -> bytes:
    """Return a file of such chunks, whose length is right."""
    return b"RIFF" + struct.pack("<I", 4 + sum(map(len, parts))) + b"WEBP" + b"".join(parts)


def features(flags: int) -> bytes:
    return riff_chunk(b"VP8X", bytes([flags, 1, 2, 3, 4, 5, 6, 7, 8, 9]))


@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        ([PIXELS], [PIXELS]),
        ([features(0xFF), PIXELS], [features(0x10), PIXELS]),
        ([features(0), PIXELS, EXIF], [features(0), PIXELS]),
        ([riff_chunk(b"AAAA", b"a"), PIXELS, riff_chunk(b"prVt", b"a")], [PIXELS]),
        ([riff_chunk(b"ALPH", b"a"), PIXELS], [riff_chunk(b"ALPH", b"a"), PIXELS]),
        ([PIXELS, riff_chunk(b"ALPH", b"a"), riff_chunk(b"ANIM", b"a")], [PIXELS]),
        ([PIXELS, PIXELS], [PIXELS]),
        (
            [features(0xFF), *(riff_chunk(kind, b"a") for kind in (b"ANIM", b"ANMF", b"ANMF"))],
            [features(0x12), *(riff_chunk(kind, b"a") for kind in (b"ANIM", b"ANMF", b"ANMF"))],
        ),
        ([riff_chunk(b"ANMF", b"a"), PIXELS], [riff_chunk(b"ANMF", b"a")]),
    ],
)
def test_the_chunks_that_pixels_need_are_kept(parts: list[bytes], kept: list[bytes]) -> None:
    assert read_webp(joined(*parts), 0).file.getvalue() == joined(*kept)


def test_the_first_metadata_of_each_kind_counts() -> None:
    read = read_webp(joined(EXIF, PROFILE, PIXELS, OTHER, XMP), 0)

    assert read.info == {"exif": b"exif!", "icc_profile": b"profile", "xmp": b"xmp"}


def test_chunks_have_their_kinds_and_places() -> None:
    data = joined(EXIF, PROFILE) + struct.pack("<4sI", b"prVt", 99)

    # Each begins at an even byte.
    places = [(b"EXIF", 12, 25), (b"ICCP", 26, 41), (b"prVt", 42, 42 + 8 + 99)]
    assert list(webp_chunks(data)) == places
    assert list(webp_chunks(data[:-1])) == places[:-1]
    assert list(webp_chunks(b"RIFF\0\0\0\0WAVE" + EXIF)) == []
