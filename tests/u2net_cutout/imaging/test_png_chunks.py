import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import ImageCms

from tests.u2net_cutout.imaging.broken_files import EXIF, HEIGHT, WIDTH, picture, png_chunk
from tests.u2net_cutout.imaging.test_decoding import TURNED
from u2net_cutout.contract.errors import MetadataTooLarge, UnreadableImage
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image
from u2net_cutout.imaging.icc_profile import PRIMARIES, matrix_profile
from u2net_cutout.imaging.png_chunks import png_chunks, read_png

LEVELS = picture()
ROWS = zlib.compress(b"".join(b"\0" + row.tobytes() for row in LEVELS))
HEAD = b"\x89PNG\r\n\x1a\n" + png_chunk(
    b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
)
PIXELS, END = png_chunk(b"IDAT", ROWS), png_chunk(b"IEND", b"")
WIDE, WIDER = (matrix_profile(PRIMARIES[primaries], 2.2) or b"" for primaries in (12, 9))
ROOM = 1 << 20


def png(*before: bytes, behind: bytes = b"") -> bytes:
    return b"".join([HEAD, *before, PIXELS, behind, END])


def profile(contents: bytes, wrong: int = 0) -> bytes:
    return png_chunk(b"iCCP", b"name\0\0" + zlib.compress(contents), wrong)


def read(file: bytes, limits: Limits) -> np.ndarray:
    return np.asarray(decode_image(file, limits))


LARGE = b"0123456789abcdef" * 82_000  # more than the megabyte at which Pillow gives up
TEXTS = {
    "zTXt": png_chunk(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(LARGE)),
    "iTXt": png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(LARGE)),
    "tEXt": png_chunk(b"tEXt", b"Comment\0" + LARGE),
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("behind", [False, True])
def test_a_large_text_does_not_cost_a_picture_up_to_the_limit(
    limits: Limits, kind: str, behind: bool
) -> None:
    file = png(behind=TEXTS[kind]) if behind else png(TEXTS[kind])

    assert np.array_equal(read(file, limits), LEVELS)
    assert np.array_equal(read(file, replace(limits, max_metadata_bytes=len(LARGE))), LEVELS)
    with pytest.raises(MetadataTooLarge):
        decode_image(file, replace(limits, max_metadata_bytes=len(LARGE) - 1))


def test_texts_are_counted_together(limits: Limits) -> None:
    file = png(TEXTS["zTXt"], TEXTS["tEXt"], behind=TEXTS["iTXt"])

    assert read_png(file, 4 * len(LARGE)).ignored_bytes == 3 * len(LARGE)
    with pytest.raises(MetadataTooLarge):
        decode_image(file, replace(limits, max_metadata_bytes=3 * len(LARGE) - 1))


def test_a_bomb_is_inflated_to_the_limit_and_no_further() -> None:
    bomb = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50 << 20), 9))

    assert read_png(png(bomb, bomb), ROOM).ignored_bytes == ROOM + 1


@pytest.mark.parametrize(
    ("chunk", "counts"),
    [
        (png_chunk(b"gAMA", struct.pack(">I", 100_000)), True),
        (png_chunk(b"gAMA", struct.pack(">I", 100_000), 1), False),
        (png_chunk(b"gAMA", struct.pack(">I", 100_000) + b"\0"), False),
        (png_chunk(b"cHRM", struct.pack(">8I", *(29_000,) * 8), 1), False),
        (png_chunk(b"cICP", bytes([12, 8, 0, 1])), True),
        (png_chunk(b"cICP", bytes([12, 8, 0, 1]), 1), False),
        (png_chunk(b"cICP", bytes([12, 8, 0])), False),
        (png_chunk(b"cICP", bytes([12, 8, 0, 1, 0])), False),
        (profile(WIDE), True),
        (profile(WIDE, wrong=1), True),
        (profile(WIDE + bytes(2 << 20)), True),
        (png_chunk(b"iCCP", b"name\0\1" + zlib.compress(WIDE)), False),
        (png_chunk(b"iCCP", b"name\0\0" + zlib.compress(WIDE)[:-9]), False),
        (png_chunk(b"iCCP", b"name"), False),
    ],
    ids=[
        "linear",
        "with a wrong checksum",
        "too long",
        "primaries with a wrong checksum",
        "coded",
        "coded, with a wrong checksum",
        "coded, too short",
        "coded, too long",
        "profile",
        "profile with a wrong checksum, which its own proves",
        "profile of two megabytes",
        "profile packed otherwise",
        "profile cut short",
        "profile of a name",
    ],
)
def test_colours_count_where_they_are_proven(limits: Limits, chunk: bytes, counts: bool) -> None:
    assert np.array_equal(read(png(chunk), limits), LEVELS) is not counts
    assert np.array_equal(read(png(behind=chunk), limits), LEVELS)


def test_the_first_of_several_counts(limits: Limits) -> None:
    first = read(png(profile(WIDE)), limits)

    assert np.array_equal(read(png(profile(WIDE), profile(WIDER)), limits), first)
    assert not np.array_equal(read(png(profile(WIDER)), limits), first)


def test_a_clear_colour_behind_the_pixels_clears_none(limits: Limits) -> None:
    clear = png_chunk(b"tRNS", struct.pack(">3H", 250, 20, 30))

    assert read(png(clear), limits)[..., 3].min() == 0
    assert np.array_equal(read(png(behind=clear), limits), LEVELS)


def test_a_clear_colour_that_is_proven_broken_is_no_guess(limits: Limits) -> None:
    clear = png_chunk(b"tRNS", struct.pack(">3H", 250, 20, 30), wrong=1)

    with pytest.raises(UnreadableImage):
        decode_image(png(clear), limits)


def hexadecimal(exif: bytes) -> bytes:
    return b"\nexif\n%8d\n" % len(exif) + exif.hex().encode()


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"eXIf", TURNED),
        png_chunk(b"eXIf", TURNED, wrong=1),
        png_chunk(b"tEXt", b"Raw profile type exif\0" + hexadecimal(TURNED)),
        png_chunk(b"zTXt", b"Raw profile type APP1\0\0" + zlib.compress(hexadecimal(TURNED))),
    ],
)
@pytest.mark.parametrize("behind", [False, True])
def test_exif_turns_a_picture_wherever_it_lies(limits: Limits, chunk: bytes, behind: bool) -> None:
    file = png(behind=chunk) if behind else png(chunk)

    assert np.array_equal(read(file, limits), np.rot90(LEVELS, -1))


def test_the_chunk_counts_before_the_text(limits: Limits) -> None:
    text = png_chunk(b"tEXt", b"Raw profile type exif\0" + hexadecimal(TURNED))

    assert np.array_equal(read(png(text, png_chunk(b"eXIf", EXIF)), limits), LEVELS)


def test_no_text_but_exif_turns_a_picture(limits: Limits) -> None:
    xmp = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    text = png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)

    assert np.array_equal(read(png(text), limits), LEVELS)


@pytest.mark.parametrize("lacking", range(len(END) + 4 + 4 + 1))
def test_a_png_that_lacks_no_row_is_whole(limits: Limits, lacking: int) -> None:
    # Its end, the checksum of its pixels, and zlib's own.
    file = png()

    assert np.array_equal(read(file[: len(file) - lacking], limits), LEVELS)


@pytest.mark.parametrize("lacking", [30, 60, 200, len(ROWS) // 2, len(ROWS)])
def test_a_png_that_lacks_a_row_is_refused(limits: Limits, lacking: int) -> None:
    file = png()

    with pytest.raises(UnreadableImage, match="last row"):
        decode_image(file[:-lacking], limits)


def test_pixels_go_on_behind_what_lies_between_them(limits: Limits) -> None:
    first, second = (png_chunk(b"IDAT", part) for part in (ROWS[:99], ROWS[99:]))
    text = png_chunk(b"tEXt", b"Comment\0hello")

    assert np.array_equal(read(HEAD + first + text + second + END, limits), LEVELS)


def test_of_an_animation_the_picture_of_simple_readers_is_read(limits: Limits) -> None:
    control = png_chunk(b"acTL", struct.pack(">II", 1, 0))
    frame = png_chunk(b"fcTL", struct.pack(">5I2H2B", 0, 4, 4, 1, 1, 1, 10, 0, 0))
    hidden = png_chunk(b"fdAT", struct.pack(">I", 1) + zlib.compress(bytes(4 * 13)))

    assert np.array_equal(read(png(control, behind=frame + hidden), limits), LEVELS)


def test_the_profile_that_is_read_is_the_one_in_the_file() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

    assert read_png(png(profile(srgb)), ROOM).info["icc_profile"] == srgb


def test_srgb_comes_before_numbers(limits: Limits) -> None:
    linear = png_chunk(b"gAMA", struct.pack(">I", 100_000))

    assert np.array_equal(read(png(linear, png_chunk(b"sRGB", b"\0")), limits), LEVELS)
    assert not np.array_equal(read(png(linear, png_chunk(b"sRGB", b"\0", wrong=1)), limits), LEVELS)


def text(contents: bytes, kind: bytes = b"tEXt") -> bytes:
    return png_chunk(kind, b"a\0" + contents)


def test_numbers_of_colours_are_read_as_they_are_written() -> None:
    primaries = (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
    chunks = [
        png_chunk(b"cICP", bytes([12, 8, 0, 1])),
        png_chunk(b"sRGB", b"\3"),
        png_chunk(b"gAMA", struct.pack(">I", 45_455)),
        png_chunk(b"cHRM", struct.pack(">8I", *primaries)),
    ]

    assert read_png(png(*chunks), ROOM).info == {
        "cicp": (12, 8, 0, 1),
        "srgb": 3,
        "gamma": 0.45455,
        "chromaticity": (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06),
    }


@pytest.mark.parametrize("step", [-1, 1])
def test_a_checksum_may_differ_by_nothing(step: int) -> None:
    numbers = b"gAMA" + struct.pack(">I", 100_000)
    checksum = zlib.crc32(numbers)

    assert read_png(png(png_chunk(numbers[:4], numbers[4:])), ROOM).info
    wrong = checksum ^ (checksum + step)
    assert not read_png(png(png_chunk(numbers[:4], numbers[4:], wrong)), ROOM).info


@pytest.mark.parametrize(
    ("chunks", "length"),
    [
        ([text(b"hello")], 5),
        ([text(b"\1\0\0\0hello")], 9),
        ([text(b"\0\0\0\0hello", b"iTXt")], 9),
        ([text(b"\2\0\0\0hello", b"iTXt")], 9),
        ([text(b"\1\0en\0word\0" + zlib.compress(b"\0hello"), b"iTXt")], 6),
        ([text(b"\0" + zlib.compress(b"\0hello"), b"zTXt")], 6),
        ([text(b"\0" + zlib.compress(bytes(50), 0)[:-4], b"zTXt")], 50),
        ([text(b"\0hello", b"zTXt")], 0),
        ([text(bytes(ROOM)), text(b"hello")], ROOM + 5),
        ([text(bytes(100)), text(b"\0" + zlib.compress(bytes(2 * ROOM)), b"zTXt")], ROOM + 1),
    ],
)
def test_texts_have_the_length_of_what_they_say(chunks: list[bytes], length: int) -> None:
    assert read_png(png(*chunks), ROOM).ignored_bytes == length


def test_the_first_exif_that_is_written_as_text_counts_if_it_can_be_read() -> None:
    broken, turned, other = (
        png_chunk(b"tEXt", b"Raw profile type exif\0" + contents)
        for contents in (b"\nexif\n4\nzz", hexadecimal(TURNED), hexadecimal(EXIF))
    )

    assert read_png(png(broken), ROOM).info == {}
    assert read_png(png(broken, turned, other), ROOM).info == {"exif": TURNED}


def test_a_profile_that_is_cut_at_the_limit_is_broken() -> None:
    # Of what is packed as it is, as much can be read as there is.
    packed = zlib.compress(WIDE, 0)[:-9]
    length = len(zlib.decompressobj().decompress(packed))
    cut = png(png_chunk(b"iCCP", b"name\0\0" + packed))

    assert read_png(cut, length).info == {}
    assert read_png(cut, length - 1).info == {"icc_profile": WIDE[:length]}


def test_what_ends_with_the_file_counts() -> None:
    exif, cut = png_chunk(b"eXIf", TURNED), HEAD + PIXELS

    assert read_png(cut + exif, ROOM).info == {"exif": TURNED}
    assert read_png(cut + exif[:-1], ROOM).info == {}
    assert read_png(cut, ROOM).file.getvalue() == cut + END
    assert read_png(cut[:-1], ROOM).file.getvalue() == cut[:-1]


def test_chunks_have_their_kinds_and_places() -> None:
    end = len(HEAD)
    data = HEAD + struct.pack(">I4s", 99, b"tEXt")

    assert list(png_chunks(data)) == [(b"IHDR", 8, end), (b"tEXt", end, end + 8 + 99 + 4)]
    assert list(png_chunks(data[:-1])) == [(b"IHDR", 8, end)]
    assert [kind for kind, _, _ in png_chunks(png() + HEAD)] == [b"IHDR", b"IDAT", b"IEND"]
