import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.u2net_cutout.imaging.broken_files import shown
from u2net_cutout.contract.errors import ResolutionTooHigh, UnreadableImage
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image
from u2net_cutout.imaging.jpeg_end import FRAMES, has_end
from u2net_cutout.imaging.pixel_file import CUT_SHORT

DJPEG = shutil.which("djpeg")
KINDS: dict[str, dict[str, object]] = {
    "baseline": {},
    "optimised": {"optimize": True, "subsampling": 0},
    "progressive": {"progressive": True},
    "with restarts": {"restart_marker_blocks": 2},
}
PICTURES = ("ramps", "noise", "white below", "grey")


def picture(name: str) -> Image.Image:
    rows, columns = np.mgrid[:40, :56]
    ramps = np.dstack([columns * 4, rows * 6, columns * rows % 256]).astype(np.uint8)
    if name == "noise":
        return Image.fromarray(np.random.default_rng(7).integers(0, 256, ramps.shape, np.uint8))
    if name == "white below":
        ramps = np.vstack([ramps, np.full((160, 56, 3), 255, np.uint8)])
    return Image.fromarray(ramps).convert("L" if name == "grey" else "RGB")


def jpeg(name: str, kind: str) -> bytes:
    buffer = BytesIO()
    picture(name).save(buffer, "JPEG", quality=90, **KINDS[kind])
    return buffer.getvalue()


def by_djpeg(file: bytes) -> np.ndarray:
    """Decode as libjpeg's own tool does, with the choices that Pillow makes, too."""
    ppm = subprocess.run([str(DJPEG), "-pnm", "-rgb"], input=file, check=True, capture_output=True)
    return np.asarray(Image.open(BytesIO(ppm.stdout)))


@pytest.mark.skipif(DJPEG is None, reason="libjpeg-turbo-progs is not installed")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("end", [b"", b"\xff", b"\0\0", bytes(600)])
def test_a_jpeg_that_lacks_its_end_marker_alone_is_read(
    limits: Limits, name: str, kind: str, end: bytes
) -> None:
    whole = jpeg(name, kind)
    if name == "white below" and kind == "optimised":
        end = b""  # its white is written as zeros: more of them may stand for more white

    decoded = decode_image(whole[:-2] + end, limits)

    assert np.array_equal(np.asarray(decoded), by_djpeg(whole))


def test_a_jpeg_without_its_end_is_upright(limits: Limits) -> None:
    buffer, exif = BytesIO(), Image.Exif()
    exif[274] = 6
    picture("ramps").save(buffer, "JPEG", exif=exif)

    decoded = decode_image(buffer.getvalue()[:-2], limits)

    upright = Image.open(buffer).transpose(Image.Transpose.ROTATE_270)
    assert np.array_equal(np.asarray(decoded), np.asarray(upright))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("padding", [0, 600])
def test_a_jpeg_cut_anywhere_is_refused_or_right(
    limits: Limits, name: str, kind: str, padding: int
) -> None:
    whole = jpeg(name, kind)
    expected = shown(whole)
    first_scan = whole.index(b"\xff\xda") + 20
    for end in range(first_scan, len(whole) - 2, 1 + len(whole) // 60):
        cut = whole[:end] + bytes(padding)
        if len(whole) - end > 4:
            with pytest.raises(UnreadableImage, match=CUT_SHORT):
                decode_image(cut, limits)
        else:  # the last bytes may hold nothing but bits that fill them up
            with suppress(UnreadableImage):
                assert np.array_equal(np.asarray(decode_image(cut, limits)), expected)


@pytest.mark.parametrize("name", ["ramps", "noise"])
def test_a_progressive_jpeg_cut_between_scans_is_refused(limits: Limits, name: str) -> None:
    whole = jpeg(name, "progressive")
    scans = [at for at in range(len(whole)) if whole.startswith(b"\xff\xda", at)]
    assert len(scans) > 5

    for start in scans[1:]:
        tables = whole.rfind(b"\xff\xc4", 0, start)
        for end in {start, tables}:
            with pytest.raises(UnreadableImage, match="last row"):
                decode_image(whole[:end], limits)


def test_a_jpeg_cut_between_restarts_is_refused(limits: Limits) -> None:
    # They are counted from 0 to 7, and again.
    buffer = BytesIO()
    picture("noise").save(buffer, "JPEG", quality=90, restart_marker_blocks=1)
    whole = buffer.getvalue()
    restarts = [at for at in range(len(whole)) if re.match(rb"\xff[\xd0-\xd7]", whole[at : at + 2])]
    assert len(restarts) > 8

    for end in restarts:
        with pytest.raises(UnreadableImage, match="last row"):
            decode_image(whole[:end], limits)


def test_a_jpeg_whose_components_come_one_by_one_needs_them_all(
    limits: Limits, planes: Callable[[bytes], bytes]
) -> None:
    whole = planes(jpeg("ramps", "baseline"))
    last_scan = whole.rindex(b"\xff\xda")

    assert np.array_equal(np.asarray(decode_image(whole[:-2], limits)), shown(whole))
    with pytest.raises(UnreadableImage, match="last row"):
        decode_image(whole[:last_scan], limits)


@pytest.fixture
def planes(recoded: Callable[[bytes, str], bytes]) -> Callable[[bytes], bytes]:
    return lambda file: recoded(file, "0;1;2;")


@pytest.fixture
def recoded(tmp_path: Path) -> Callable[[bytes, str], bytes]:
    jpegtran = shutil.which("jpegtran")
    if jpegtran is None:
        pytest.skip("libjpeg-turbo-progs is not installed")
    script = tmp_path / "scans"

    def recode(file: bytes, scans: str) -> bytes:
        script.write_text(scans)
        command = [jpegtran, "-scans", str(script)]
        return subprocess.run(command, input=file, check=True, capture_output=True).stdout

    return recode


def test_a_jpeg_lacks_something_without_its_last_coefficient(
    limits: Limits, recoded: Callable[[bytes, str], bytes]
) -> None:
    whole = recoded(jpeg("grey", "baseline"), "0: 0-0, 0, 0; 0: 1-62, 0, 0; 0: 63-63, 0, 0;")
    last_scan = whole.rindex(b"\xff\xda")
    tables = whole.rfind(b"\xff\xc4", 0, last_scan)

    assert np.array_equal(np.asarray(decode_image(whole[:-2], limits)), shown(whole))
    for end in (last_scan, tables):
        with pytest.raises(UnreadableImage, match="last row"):
            decode_image(whole[:end], limits)


def test_limits_are_checked_without_an_end_as_well(limits: Limits) -> None:
    with pytest.raises(ResolutionTooHigh):
        decode_image(jpeg("ramps", "baseline")[:-2], replace(limits, max_pixels=100))


@pytest.mark.parametrize("behind", [b"", b"\0" * 99, b"\r\n", b"\xff\xd8\xff\xda" * 9, b"\xff" * 5])
def test_what_follows_the_end_marker_does_not_matter(limits: Limits, behind: bytes) -> None:
    whole = jpeg("noise", "baseline")

    assert has_end(whole + behind)
    assert not has_end(whole[:-2])
    assert np.array_equal(np.asarray(decode_image(whole + behind, limits)), shown(whole))


def test_so_many_scans_need_an_end_marker(limits: Limits) -> None:
    whole = jpeg("ramps", "progressive")
    scans = whole.count(b"\xff\xda")
    # All that changes nothing when it comes again: the lowest bit of each block's mean.
    start = whole.index(b"\xff\xda\0\x0c\3\1\0\2\0\3\0\0\0\x10")
    again = whole[
        start : min(whole.find(marker, start + 14) for marker in (b"\xff\xda", b"\xff\xc4"))
    ]

    most = whole[:-2] + again * (32 - scans)
    assert decode_image(most, limits).size == (56, 40)
    assert decode_image(most + again + b"\xff\xd9", limits).size == (56, 40)
    with pytest.raises(UnreadableImage):
        decode_image(most + again, limits)


def grey_noise(seed: int) -> bytes:
    buffer = BytesIO()
    levels = np.random.default_rng(seed).integers(0, 256, (24, 16), np.uint8)
    Image.fromarray(levels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("seed", "end", "most"),
    # Zeros that end a file may be its pixels' own; a byte 0xff of a pixel has one behind it.
    [(479, b"\0", 1), (6, b"\xff\0", 600), (712, b"x", 600)],
)
def test_zeros_behind_the_pixels_are_told_from_theirs(
    limits: Limits, seed: int, end: bytes, most: int
) -> None:
    whole = grey_noise(seed)
    assert whole[:-2].endswith(end)

    for padding in {0, 1, most}:
        decoded = decode_image(whole[:-2] + bytes(padding), limits)
        assert np.array_equal(np.asarray(decoded), shown(whole))
    if most == 1:
        with pytest.raises(UnreadableImage, match="last row"):
            decode_image(whole[:-2] + bytes(2), limits)


@pytest.mark.parametrize("lacking", [3, 5, 9, 20])
def test_three_zeros_are_no_pixels(limits: Limits, lacking: int) -> None:
    with pytest.raises(UnreadableImage, match="last row"):
        decode_image(jpeg("noise", "baseline")[:-lacking] + bytes(3), limits)


def flat_below() -> bytes:
    """Return a JPEG whose last pixels are written as zeros, up to the last bit."""
    white = np.full((208, 56, 3), 255, np.uint8)
    buffer = BytesIO()
    Image.fromarray(np.vstack([np.asarray(picture("ramps")), white])).save(
        buffer, "JPEG", quality=90, optimize=True, subsampling=0
    )
    assert buffer.getvalue().endswith(bytes(6) + b"\xff\xd9")
    return buffer.getvalue()


def with_all_tables_in_one(jpeg: bytes) -> bytes:
    """Return a JPEG whose four tables of codes are in one segment (T.81, B.2.4.2)."""
    start, scan = jpeg.index(b"\xff\xc4"), jpeg.index(b"\xff\xda")
    tables, at = b"", start
    while at < scan:
        (length,) = struct.unpack_from(">H", jpeg, at + 2)
        tables += jpeg[at + 4 : at + 2 + length]
        at += 2 + length
    segment = b"\xff\xc4" + struct.pack(">H", 2 + len(tables)) + tables
    return jpeg[:start] + segment + jpeg[scan:]


@pytest.mark.parametrize("arranged", [bytes, with_all_tables_in_one])
def test_a_flat_jpeg_ends_in_its_own_zeros(
    limits: Limits, arranged: Callable[[bytes], bytes]
) -> None:
    whole = arranged(flat_below())

    for padding in (0, 1):
        decoded = decode_image(whole[:-2] + bytes(padding), limits)
        assert np.array_equal(np.asarray(decoded), shown(whole))
    for file in (whole[:-2] + bytes(2), whole[:-3], whole[:-4]):
        with pytest.raises(UnreadableImage, match="last row"):
            decode_image(file, limits)


def test_the_markers_of_frames_are_those_of_the_standard() -> None:
    # T.81, table B.1: SOF0 to SOF15 without DHT, JPG and DAC.
    assert {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7} == {each for each in FRAMES if each < 0xC8}
    assert {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF} == {each for each in FRAMES if each >= 0xC8}
