import shutil
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import AvifImagePlugin, BmpImagePlugin, Image
from PIL.PngImagePlugin import PngInfo

from tests.conftest import ROOT
from u2net_cutout.contract.errors import (
    FileTooLarge,
    InvalidFileType,
    MetadataTooLarge,
    ResolutionTooHigh,
    SideTooLong,
    TooManyFrames,
    TooManyParts,
    TooMuchMemory,
    UnreadableImage,
)
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import FORMATS, decode_image, register_heif, share_threads

JPEGTRAN = shutil.which("jpegtran")
JPGICC = shutil.which("jpgicc")
DEBIAN_CMYK = Path("/usr/share/color/icc/ghostscript/default_cmyk.icc")

ORIENTATION = 0x0112
SHORT, ASCII, RATIONAL = 3, 2, 5

# How a picture lies in a file of each orientation: which of its sides are the first row and column.
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}
LOSSLESS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
}

# Pillow warns of what it mends or distrusts; what counts here is what comes out.
pillow_grumbles = pytest.mark.filterwarnings(
    "ignore:Corrupt EXIF data",
    "ignore:Truncated File Read",
    "ignore::PIL.Image.DecompressionBombWarning",
)


def encoded(picture: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, file_format, **options)
    return buffer.getvalue()


def pixels(picture: Image.Image) -> npt.NDArray[np.int32]:
    return np.asarray(picture, np.int32)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_that_claims(width: int, height: int) -> bytes:
    """Return a PNG file with one row of one pixel, whatever its header says."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0\1\2\3")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def with_exif(jpeg: bytes, exif: bytes) -> bytes:
    segment = b"Exif\0\0" + exif
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def texts(*lengths: int) -> PngInfo:
    info = PngInfo()
    for count, length in enumerate(lengths):
        info.add_text(str(count), "x" * length)
    return info


def exif_of(*entries: tuple[int, int, bytes]) -> bytes:
    """Return EXIF with entries of (tag, type, value); a value above 4 bytes lies at the end."""
    end = 8 + 2 + 12 * len(entries) + 4
    directory, tail = struct.pack("<H", len(entries)), b""
    for tag, kind, value in entries:
        held = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", end + len(tail))
        tail += value if len(value) > 4 else b""
        count = len(value) if kind == ASCII else 1
        directory += struct.pack("<HHI", tag, kind, count) + held
    return b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + tail


TURNED = exif_of((ORIENTATION, SHORT, b"\x06\0"))


@pytest.fixture(scope="module")
def upright() -> Image.Image:
    """A picture that no turn or flip leaves as it is."""
    picture = Image.new("RGB", (48, 32), "white")
    picture.paste("red", (0, 0, 16, 16))
    picture.paste("lime", (16, 0, 32, 16))
    picture.paste("blue", (32, 16, 48, 32))
    return picture


@pytest.fixture(scope="module")
def jpeg(upright: Image.Image) -> bytes:
    return encoded(upright, "JPEG", **LOSSLESS["JPEG"])


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_format_is_read(photos: list[Image.Image], limits: Limits, file_format: str) -> None:
    photo = photos[1]

    decoded = decode_image(encoded(photo, file_format), limits)

    # GIF has but 256 colours.
    assert (decoded.mode, decoded.size) == ("RGB", photo.size)
    assert np.abs(pixels(decoded) - pixels(photo)).mean() < 10


def test_real_photos_are_read_as_they_are(
    photo_files: list[Path], photos: list[Image.Image], limits: Limits
) -> None:
    decoded = [decode_image(file.read_bytes(), limits) for file in photo_files]

    assert [picture.tobytes() for picture in decoded] == [photo.tobytes() for photo in photos]


def test_what_torchserve_hands_over_is_read(jpeg: bytes, limits: Limits) -> None:
    assert decode_image(bytearray(jpeg), limits).size == (48, 32)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_picture_is_turned_upright(
    upright: Image.Image, limits: Limits, orientation: int, file_format: str
) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](np.asarray(upright))))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(stored, file_format, exif=exif, **LOSSLESS.get(file_format, {}))

    decoded = decode_image(data, limits)

    assert decoded.size == upright.size
    assert np.abs(pixels(decoded) - pixels(upright)).max() <= 8


@pillow_grumbles
@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"garbage",
        b"II*\0\xff\xff\xff\xff",
        TURNED[:9],
        TURNED[:15],
        exif_of((ORIENTATION, SHORT, b"\x09\0")),
        exif_of((ORIENTATION, SHORT, b"\0\0")),
        exif_of((ORIENTATION, ASCII, b"six\0")),
        exif_of((ORIENTATION, 99, b"\x06\0")),
    ],
)
def test_broken_exif_does_not_lose_the_picture(jpeg: bytes, limits: Limits, exif: bytes) -> None:
    decoded = decode_image(with_exif(jpeg, exif), limits)

    assert decoded.tobytes() == decode_image(jpeg, limits).tobytes()


@pytest.mark.parametrize(
    "odd",
    [(0x013C, RATIONAL, struct.pack("<II", 1, 2)), (0x011A, ASCII, b"seventy-two\0")],
    ids=["host computer as a number", "resolution as a text"],
)
def test_an_odd_tag_does_not_keep_a_picture_from_being_turned(
    jpeg: bytes, limits: Limits, odd: tuple[int, int, bytes]
) -> None:
    exif = exif_of((ORIENTATION, SHORT, b"\x06\0"), odd)

    assert decode_image(with_exif(jpeg, exif), limits).size == (32, 48)


def palette_picture() -> Image.Image:
    picture = Image.new("P", (3, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.frombytes(bytes([0, 1, 2]))
    return picture


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(Image.new("1", (1, 1), 1), "PNG"), (255, 255, 255)),
        (encoded(Image.new("L", (1, 1), 77), "PNG"), (77, 77, 77)),
        (encoded(Image.new("LA", (1, 1), (77, 128)), "PNG"), (77, 77, 77, 128)),
        (encoded(Image.new("RGBA", (1, 1), (1, 2, 3, 4)), "PNG"), (1, 2, 3, 4)),
        (encoded(Image.new("L", (1, 1), 77), "PNG", transparency=77), (77, 77, 77, 0)),
        (encoded(Image.new("RGB", (1, 1), "red"), "PNG", transparency=(255, 0, 0)), (255, 0, 0, 0)),
        (encoded(palette_picture(), "PNG"), (255, 0, 0)),
        (encoded(palette_picture(), "PNG", transparency=0), (255, 0, 0, 0)),
        (encoded(palette_picture(), "PNG", transparency=b"\x80\xff\xff"), (255, 0, 0, 128)),
        (encoded(palette_picture(), "GIF", transparency=0), (255, 0, 0, 0)),
        (encoded(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
        (encoded(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), "JPEG"), (255, 255, 255)),
        (encoded(Image.new("RGBA", (1, 1), (9, 8, 7, 6)), "WEBP", lossless=True), (9, 8, 7, 6)),
    ],
    ids=[
        "1-bit",
        "grey",
        "grey with alpha",
        "RGBA",
        "grey with a transparent level",
        "RGB with a transparent colour",
        "palette",
        "palette with a transparent colour",
        "palette with alpha",
        "GIF with a transparent colour",
        "CMYK TIFF",
        "CMYK JPEG",
        "WebP with alpha",
    ],
)
def test_a_picture_of_any_mode_is_read_for_what_it_shows(
    limits: Limits, data: bytes, expected: tuple[int, ...]
) -> None:
    assert decode_image(data, limits).getpixel((0, 0)) == expected


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(limits: Limits, file_format: str) -> None:
    levels = np.array([[0, 100 * 257, 200 * 257, 65535]], np.uint16)

    decoded = decode_image(encoded(Image.fromarray(levels), file_format), limits)

    assert pixels(decoded)[0, :, 0].tolist() == [0, 100, 200, 255]


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_several_frames_the_first_is_read(limits: Limits, file_format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])

    red = decode_image(data, limits).convert("RGB").resize((1, 1))

    assert np.abs(pixels(red) - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_of_several_frames_with_holes_the_first_is_read_with_its_holes(
    limits: Limits, file_format: str
) -> None:
    frames = [Image.new("RGBA", (16, 16), colour) for colour in ("red", "blue")]
    for frame in frames:
        frame.paste((0, 0, 0, 0), (4, 4, 12, 12))
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])

    decoded = decode_image(data, limits)

    assert (decoded.mode, decoded.getchannel("A").getcolors()) == ("RGBA", [(64, 0), (192, 255)])
    assert np.abs(pixels(decoded)[:, 13] - (255, 0, 0, 255)).max() <= 12


def test_of_an_animated_png_its_own_picture_is_read(limits: Limits) -> None:
    own, *frames = (Image.new("RGB", (16, 16), colour) for colour in ("lime", "red", "blue"))
    data = encoded(own, "PNG", save_all=True, default_image=True, append_images=frames)
    assert data.index(b"IDAT") < data.index(b"fcTL")  # it is no frame of the animation

    assert decode_image(data, limits).getpixel((0, 0)) == (0, 255, 0)


@pytest.mark.parametrize("exif", [exif_of(), exif_of((ORIENTATION, SHORT, b"\1\0"))])
@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "AVIF"])
def test_an_orientation_in_xmp_alone_turns_nothing(
    upright: Image.Image, limits: Limits, file_format: str, exif: bytes
) -> None:
    # Held against Chromium 156, which shows these as they are stored.
    xmp = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    data = encoded(upright, file_format, xmp=xmp, exif=b"Exif\0\0" + exif)

    assert decode_image(data, limits).size == upright.size


def test_a_progressive_jpeg_is_read(photos: list[Image.Image], limits: Limits) -> None:
    progressive = encoded(photos[1], "JPEG", progressive=True)

    decoded = decode_image(progressive, limits)

    assert b"\xff\xc2" in progressive
    assert decoded.tobytes() == decode_image(encoded(photos[1], "JPEG"), limits).tobytes()


@pytest.mark.skipif(JPEGTRAN is None, reason="libjpeg-turbo-progs is not installed")
def test_an_arithmetic_coded_jpeg_is_read(jpeg: bytes, limits: Limits) -> None:
    recoded = subprocess.run(
        [str(JPEGTRAN), "-arithmetic"], input=jpeg, check=True, capture_output=True
    ).stdout

    assert b"\xff\xc9" in recoded
    assert decode_image(recoded, limits).tobytes() == decode_image(jpeg, limits).tobytes()


def without_adobe_marker(jpeg: bytes) -> bytes:
    at = jpeg.index(b"\xff\xee")
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4]) :]


@pytest.mark.parametrize("marked", [True, False])
def test_the_inks_of_a_jpeg_are_inverted_as_adobe_writes_them(limits: Limits, marked: bool) -> None:
    data = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 51)), "JPEG", quality=100)
    assert b"Adobe" in data

    decoded = decode_image(data if marked else without_adobe_marker(data), limits)

    assert np.abs(pixels(decoded) - (204, 0, 0)).max() <= 2


@pytest.mark.skipif(JPGICC is None, reason="liblcms2-utils is not installed")
@pytest.mark.skipif(not DEBIAN_CMYK.exists(), reason="libgs-common is not installed")
def test_inks_stored_as_ycck_are_read(
    photos: list[Image.Image], limits: Limits, tmp_path: Path
) -> None:
    rgb, inks, back = (tmp_path / name for name in ("rgb.jpg", "inks.jpg", "back.jpg"))
    rgb.write_bytes(encoded(photos[1], "JPEG", quality=100, icc_profile=None))
    press, relative = str(DEBIAN_CMYK), ("-t1", "-b")
    for step in (
        ["-i", "*sRGB", "-o", press, "-e", str(rgb), str(inks)],
        ["-i", press, "-o", "*sRGB", str(inks), str(back)],
    ):
        subprocess.run([str(JPGICC), *relative, *step], check=True, capture_output=True)
    with Image.open(inks) as stored:
        assert (stored.mode, stored.info["adobe_transform"]) == ("CMYK", 2)
        assert "icc_profile" in stored.info

    decoded = decode_image(inks.read_bytes(), limits)

    assert np.abs(pixels(decoded) - pixels(Image.open(back).convert("RGB"))).mean() < 3


@pillow_grumbles
@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.75, 0.95])
@pytest.mark.parametrize("file_format", [name for name in FORMATS if name != "AVIF"])
def test_a_truncated_picture_is_unreadable(
    photos: list[Image.Image], limits: Limits, file_format: str, share: float
) -> None:
    data = encoded(photos[1], file_format)

    with pytest.raises(UnreadableImage):
        decode_image(data[: int(len(data) * share)], limits)


@pillow_grumbles
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_a_picture_cut_off_after_its_signature_is_unreadable(
    upright: Image.Image, limits: Limits, file_format: str
) -> None:
    with pytest.raises(UnreadableImage):
        decode_image(encoded(upright, file_format)[:12], limits)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_byte_tells_no_kind(upright: Image.Image, limits: Limits, file_format: str) -> None:
    with pytest.raises(InvalidFileType):
        decode_image(encoded(upright, file_format)[:1], limits)


@pytest.mark.parametrize("length", [12, 300, 3_000, 12_000])
def test_a_truncated_avif_picture_is_unreadable(
    photos: list[Image.Image], limits: Limits, length: int
) -> None:
    with pytest.raises(UnreadableImage):
        decode_image(encoded(photos[1], "AVIF")[:length], limits)


def test_an_avif_picture_with_damaged_pixels_is_unreadable(
    photos: list[Image.Image], limits: Limits
) -> None:
    data = bytearray(encoded(photos[1], "AVIF"))
    start = data.index(b"mdat") + 4
    data[start : start + 16] = bytes(16)

    with pytest.raises(UnreadableImage):
        decode_image(data, limits)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        bytes(1000),
        b"Hello, world",
        b"<!DOCTYPE html><html><body>404</body></html>",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
        b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n%%EndComments\nshowpage\n",
        b"P6 1 1 255\n\0\0\0",
        b"\0\0\1\0\1\0\1\1\0\0\1\0\x20\0" + bytes(60),
        b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(100),
    ],
    ids=["empty", "byte", "zeros", "text", "HTML", "SVG", "PDF", "EPS", "PPM", "ICO", "MP4"],
)
def test_what_is_no_picture_of_a_known_kind_is_refused(limits: Limits, data: bytes) -> None:
    with pytest.raises(InvalidFileType):
        decode_image(data, limits)


@pytest.mark.parametrize("brand", [b"avif", b"avis"])
def test_an_avif_that_ends_with_its_kind_is_unreadable(limits: Limits, brand: bytes) -> None:
    with pytest.raises(UnreadableImage):
        decode_image(b"\0\0\0\x1cftyp" + brand, limits)


@pytest.mark.parametrize("kind", [b"WAVEfmt ", b"AVI LIST"])
def test_sound_and_video_are_no_broken_webp(limits: Limits, kind: bytes) -> None:
    with pytest.raises(InvalidFileType):
        decode_image(b"RIFF\x24\0\0\0" + kind + bytes(28), limits)


@pytest.mark.skipif(find_spec("pillow_heif") is not None, reason="pillow-heif is installed")
def test_without_pillow_heif_heic_is_no_known_kind(limits: Limits) -> None:
    registered = register_heif()

    with pytest.raises(InvalidFileType):
        decode_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(300), limits)
    assert not registered


def test_a_file_over_the_limit_is_refused(jpeg: bytes) -> None:
    with pytest.raises(FileTooLarge):
        decode_image(jpeg, Limits(len(jpeg) - 1, 48 * 32, 1))


def test_a_picture_over_the_limit_is_refused(jpeg: bytes) -> None:
    with pytest.raises(ResolutionTooHigh):
        decode_image(jpeg, Limits(len(jpeg), 48 * 32 - 1, 1))


def test_the_limits_themselves_are_allowed(jpeg: bytes) -> None:
    assert decode_image(jpeg, Limits(len(jpeg), 48 * 32, 1)).size == (48, 32)


@pillow_grumbles
@pytest.mark.parametrize("side", [4_473, 10_000, 14_000, 2**31 - 1])
def test_a_header_that_claims_too_much_is_believed_before_any_pixel_is_decoded(
    limits: Limits, side: int
) -> None:
    with pytest.raises(ResolutionTooHigh):
        decode_image(png_that_claims(side, side), limits)


@pytest.mark.parametrize(("width", "height"), [(100, 100), (4_000, 4_000), (0, 0), (0, 1)])
def test_a_header_that_lies_within_the_limits_is_unreadable(
    limits: Limits, width: int, height: int
) -> None:
    with pytest.raises(UnreadableImage):
        decode_image(png_that_claims(width, height), limits)


def test_a_decompression_bomb_is_refused(limits: Limits) -> None:
    bomb = encoded(Image.new("1", (20_000, 20_000)), "PNG", compress_level=1)

    with pytest.raises(ResolutionTooHigh):
        decode_image(bomb, limits)


def test_a_size_that_a_decoder_finds_late_is_held_against_the_limits_as_well(
    upright: Image.Image, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As HEIC's may, of which no file is at hand.
    def load(image: BmpImagePlugin.BmpImageFile) -> None:
        image._size = (20_000, 20_000)

    monkeypatch.setattr(BmpImagePlugin.BmpImageFile, "load", load)

    with pytest.raises(ResolutionTooHigh):
        decode_image(encoded(upright, "BMP"), limits)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1)])
def test_extreme_sizes_are_read(limits: Limits, size: tuple[int, int]) -> None:
    assert decode_image(encoded(Image.new("RGB", size), "PNG"), limits).size == size


def progressive_jpeg() -> bytes:
    buffer = BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "JPEG", progressive=True)
    return buffer.getvalue()


def test_a_jpeg_that_repeats_its_scans_is_refused(limits: Limits) -> None:
    jpeg = progressive_jpeg()
    last_scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    hostile = jpeg[:-2] + last_scan * 100 + b"\xff\xd9"

    with pytest.raises(UnreadableImage, match="scans"):
        decode_image(hostile, limits)


def test_what_follows_a_jpeg_is_no_scan_of_it(limits: Limits) -> None:
    # Motion photos carry a video behind the picture, in which any bytes can occur.
    motion_photo = progressive_jpeg() + b"\xff\xda" * 1000

    assert decode_image(motion_photo, limits).size == (64, 64)


def test_what_is_inside_of_a_jpegs_metadata_is_no_scan_of_it(limits: Limits) -> None:
    jpeg = progressive_jpeg()
    comment = b"\xff\xfe" + (20_002).to_bytes(2, "big") + b"\xff\xda" * 10_000

    assert decode_image(jpeg[:2] + comment + jpeg[2:], limits).size == (64, 64)


def test_an_mpo_that_repeats_its_scans_is_refused(limits: Limits) -> None:
    # Pillow calls a JPEG of several pictures, as stereo cameras and phones write, another format.
    picture, file = Image.effect_noise((64, 64), 50), BytesIO()
    picture.save(file, "MPO", save_all=True, append_images=[picture])
    several = file.getvalue()
    at = several.index(b"MPF\0") - 4
    index = several[at : at + 2 + int.from_bytes(several[at + 2 : at + 4], "big")]
    jpeg = progressive_jpeg()
    last_scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    hostile = jpeg[:2] + index + jpeg[2:-2] + last_scan * 100 + b"\xff\xd9"

    assert Image.open(BytesIO(hostile)).format == "MPO"
    with pytest.raises(UnreadableImage, match="scans"):
        decode_image(hostile, limits)


def test_a_file_of_nothing_but_parts_is_refused(jpeg: bytes, limits: Limits) -> None:
    hostile = jpeg[:2] + b"\xff\xfe\x00\x02" * limits.max_parts + jpeg[2:]

    with pytest.raises(TooManyParts):
        decode_image(hostile, limits)


@pytest.mark.parametrize("size", [(70_000, 1), (1, 70_000)])
def test_a_side_over_the_limit_is_refused(limits: Limits, size: tuple[int, int]) -> None:
    with pytest.raises(SideTooLong):
        decode_image(encoded(Image.new("L", size), "PNG"), limits)


@pytest.mark.parametrize("size", [(30_000, 1), (1, 30_000)])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "AVIF"])
def test_a_long_row_and_a_high_column_are_read(
    limits: Limits, file_format: str, size: tuple[int, int]
) -> None:
    assert decode_image(encoded(Image.new("L", size), file_format), limits).size == size


@pytest.mark.parametrize("file_format", ["WEBP", "AVIF"])
def test_an_animation_of_too_many_frames_is_refused(limits: Limits, file_format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "lime")]
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])

    with pytest.raises(TooManyFrames):
        decode_image(data, replace(limits, max_frames=2))
    assert decode_image(data, replace(limits, max_frames=3)).size == (16, 16)


@pytest.mark.parametrize(
    ("file_format", "metadata"),
    [
        ("JPEG", {"exif": b"Exif\0\0" + TURNED + bytes(1000)}),
        ("JPEG", {"icc_profile": bytes(1001)}),
        ("PNG", {"icc_profile": bytes(1001)}),
        ("PNG", {"pnginfo": texts(600, 600)}),
        ("WEBP", {"xmp": bytes(1001)}),
        ("TIFF", {"icc_profile": bytes(1001)}),
        ("AVIF", {"icc_profile": bytes(1001)}),
    ],
    ids=["EXIF", "profile", "PNG's profile", "PNG's texts", "XMP", "TIFF's", "AVIF's"],
)
def test_too_much_metadata_is_refused(
    upright: Image.Image, limits: Limits, file_format: str, metadata: dict[str, Any]
) -> None:
    data = encoded(upright, file_format, **metadata)

    with pytest.raises(MetadataTooLarge):
        decode_image(data, replace(limits, max_metadata_bytes=1000))


def tiff_of_a_large_tile(side: int) -> bytes:
    """Return a TIFF of one pixel, in a tile of `side` x `side` that packs well."""
    tile = zlib.compress(bytes(side * side))
    long, short = b"\x04\0", b"\x03\0"
    entries = [
        (256, long, 1), (257, long, 1), (258, short, 8), (259, short, 8), (262, short, 1),
        (277, short, 1), (322, long, side), (323, long, side), (324, long, 8 + 2 + 120 + 4),
        (325, long, len(tile)),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<H2sII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + tile


def test_a_decoder_that_asks_for_too_much_memory_gets_none(limits: Limits) -> None:
    # Too large to lie in memory that an earlier picture has left behind.
    data = tiff_of_a_large_tile(16_000)
    little = replace(limits, max_decoding_bytes=8 << 20)

    assert decode_image(data, limits).size == (1, 1)
    with pytest.raises((TooMuchMemory, UnreadableImage)):
        decode_image(data, little)
    assert decode_image(data, limits).size == (1, 1)


def test_a_picture_that_takes_too_much_memory_is_refused(limits: Limits) -> None:
    data = encoded(Image.new("L", (4000, 4000)), "PNG")

    with pytest.raises(TooMuchMemory):
        decode_image(data, replace(limits, max_decoding_bytes=8 << 20))


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_decoder_stays_that_holds_a_copy_of_the_pixels(
    upright: Image.Image, limits: Limits, file_format: str
) -> None:
    decoded = decode_image(encoded(upright, file_format), limits)

    # GIF's colours are of a palette, and have to be converted.
    assert (type(decoded) is Image.Image) is (file_format in ("WEBP", "AVIF", "GIF"))


def test_running_out_of_memory_is_refused_where_there_is_a_budget(
    jpeg: bytes, limits: Limits
) -> None:
    def decode(_image: Image.Image, _data: bytes | bytearray) -> Image.Image:
        raise MemoryError

    with pytest.raises(TooMuchMemory):
        decode_image(jpeg, limits, decode)
    with pytest.raises(MemoryError):
        decode_image(jpeg, limits, decode, budgets=None)


def test_decoders_share_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AvifImagePlugin, "DEFAULT_MAX_THREADS", 0)

    share_threads(3)

    assert AvifImagePlugin.DEFAULT_MAX_THREADS == 3


OPENED_WITHOUT_MEMORY = """
import sys
from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image

limits = Limits(10**8, 10**6, 10**6, max_decoding_bytes=int(sys.argv[1]) << 20)
try:
    decode_image(sys.stdin.buffer.read(), limits)
except CutoutError as error:
    print(error.code)
"""


@pytest.mark.parametrize(("file_format", "mebibytes"), [("JPEG", 1), ("PNG", 60)])
def test_running_out_of_memory_while_a_file_is_opened_is_no_broken_picture(
    jpeg: bytes, limits: Limits, file_format: str, mebibytes: int
) -> None:
    # A decoder is given a copy of what pixels need; zeros at the end of a scan are passed over.
    data = jpeg[:-2] + bytes(40 << 20) + jpeg[-2:]
    if file_format == "PNG":  # Pillow reads such a palette while it opens the file
        png = encoded(Image.new("RGB", (48, 32)), "PNG")
        data = png[:33] + chunk(b"PLTE", bytes(40 << 20)) + png[33:]
    command = [sys.executable, "-c", OPENED_WITHOUT_MEMORY, str(mebibytes)]

    # In a process of its own, which has no memory left from others.
    done = subprocess.run(command, cwd=ROOT, input=data, capture_output=True, check=True)

    assert decode_image(data, limits).size == (48, 32)
    assert done.stdout == b"too_much_memory\n"


def test_another_decoder_is_given_no_jpeg_without_its_end(jpeg: bytes, limits: Limits) -> None:
    def decode(image: Image.Image, _data: bytes | bytearray) -> Image.Image:
        return Image.new("RGB", image.size, "teal")

    teal = (0, 128, 128)
    assert decode_image(jpeg, limits, decode).getpixel((0, 0)) == teal
    assert decode_image(jpeg[:-2], limits, decode).tobytes() == decode_image(jpeg, limits).tobytes()
    with pytest.raises(UnreadableImage, match="send it whole"):
        decode_image(jpeg[:-12], limits, decode)
