import json
import shutil
import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image
from u2net_cutout.imaging.icc_profile import (
    ADOBE_GAMMA,
    ADOBE_RGB,
    GAMMAS,
    PRIMARIES,
    SRGB,
    find_profile,
    matrix_profile,
)

ROOT = Path(__file__).resolve().parents[3]
WHEELS = ROOT / "build" / "wheels"
AVIFENC = shutil.which("avifenc")

P3, BT709, BT2020 = 12, 1, 9
SRGB_CURVE, LINEAR, PQ, HLG = 13, 8, 16, 18
# A green as Display P3 says it and as sRGB says it, by the matrices of CSS Color 4.
P3_GREEN, SRGB_GREEN = (60, 180, 75), (0, 183, 57)

Chunk = tuple[bytes, bytes]


def png(colour: tuple[int, int, int], *chunks: Chunk) -> bytes:
    """Return a PNG of one colour with chunks between its header and its pixels."""
    buffer = BytesIO()
    Image.new("RGB", (4, 4), colour).save(buffer, "PNG")
    plain = buffer.getvalue()
    added = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return plain[:33] + added + plain[33:]


def gama(gamma: float) -> Chunk:
    return b"gAMA", struct.pack(">I", round(gamma * 100_000))


def chrm(chromaticities: tuple[float, ...]) -> Chunk:
    return b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in chromaticities))


def cicp(primaries: int, transfer: int) -> Chunk:
    return b"cICP", bytes([primaries, transfer, 0, 1])


def iccp(profile: bytes) -> Chunk:
    return b"iCCP", b"it\0\0" + zlib.compress(profile)


def profile_of(chromaticities: tuple[float, ...], gamma: float | None = None) -> bytes:
    profile = matrix_profile(chromaticities, gamma)  # type: ignore[arg-type]
    assert profile is not None
    return profile


def first(picture: Image.Image) -> npt.NDArray[np.int32]:
    return np.asarray(picture.convert("RGB").crop((0, 0, 1, 1)), np.int32).reshape(3)


P3_ICC = profile_of(PRIMARIES[P3])
AS_SAID, GREY = (60, 180, 75), (128, 128, 128)


@pytest.mark.parametrize(
    ("colour", "chunks", "expected"),
    [
        (P3_GREEN, [cicp(P3, SRGB_CURVE)], SRGB_GREEN),
        (P3_GREEN, [chrm(PRIMARIES[P3])], SRGB_GREEN),
        (P3_GREEN, [chrm(PRIMARIES[P3]), gama(0.45455)], SRGB_GREEN),
        (P3_GREEN, [iccp(P3_ICC)], SRGB_GREEN),
        (P3_GREEN, [cicp(P3, SRGB_CURVE), iccp(profile_of(SRGB, 1.0))], SRGB_GREEN),
        (P3_GREEN, [iccp(P3_ICC), gama(1.0)], SRGB_GREEN),
        (AS_SAID, [cicp(BT709, SRGB_CURVE), iccp(P3_ICC)], AS_SAID),
        (AS_SAID, [cicp(BT2020, PQ)], AS_SAID),
        (AS_SAID, [cicp(BT2020, HLG)], AS_SAID),
        (AS_SAID, [(b"cICP", b"\x0c"), gama(0.45455)], AS_SAID),
        (AS_SAID, [gama(0.45455)], AS_SAID),
        (AS_SAID, [gama(0.45455), chrm(SRGB)], AS_SAID),
        (AS_SAID, [(b"sRGB", b"\0"), gama(1.0), chrm(ADOBE_RGB)], AS_SAID),
        (AS_SAID, [gama(0)], AS_SAID),
        (AS_SAID, [chrm((0,) * 8)], AS_SAID),
        (AS_SAID, [chrm((0.3, 0.3) * 4)], AS_SAID),
        (AS_SAID, [chrm((0.3127, 0.329, 0.00001, 0.00001) * 2)], AS_SAID),
        (AS_SAID, [chrm((0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.30001, 0.59999))], AS_SAID),
        (GREY, [gama(1.0)], (188, 188, 188)),
        (GREY, [gama(1.0), chrm(SRGB)], (188, 188, 188)),
        (GREY, [cicp(BT709, LINEAR)], (188, 188, 188)),
        (GREY, [gama(1 / 1.8)], (147, 147, 147)),
    ],
)
def test_what_a_png_says_of_its_colours_counts(
    limits: Limits, colour: tuple[int, int, int], chunks: list[Chunk], expected: tuple[int, ...]
) -> None:
    decoded = first(decode_image(png(colour, *chunks), limits))

    assert np.abs(decoded - expected).max() <= 1


@pytest.mark.parametrize(
    "chunk",
    [
        (b"iCCP", b""),
        (b"iCCP", b"it\0\0garbage"),
        (b"iCCP", b"it\0\7garbage"),
        (b"iCCP", b"it\0\0" + zlib.compress(bytes(3_000_000))),
        (b"gAMA", b"\0"),
        (b"cHRM", b"\0"),
        (b"sRGB", b""),
        (b"cICP", b""),
    ],
    ids=lambda chunk: f"{chunk[0].decode()} of {len(chunk[1])}",
)
def test_a_broken_declaration_does_not_lose_the_picture(limits: Limits, chunk: Chunk) -> None:
    decoded = decode_image(png(AS_SAID, chunk), limits)

    assert first(decoded).tolist() == list(AS_SAID)


def test_a_made_profile_has_the_colorants_of_the_standard() -> None:
    made = ImageCms.ImageCmsProfile(BytesIO(profile_of(SRGB))).profile
    littlecms = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).profile

    for colorant in ("red_colorant", "green_colorant", "blue_colorant"):
        ours, theirs = getattr(made, colorant)[0], getattr(littlecms, colorant)[0]
        assert ours == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("index", ["R03", "R98"])
def test_a_camera_says_adobe_rgb_by_its_interoperability_index(limits: Limits, index: str) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA005] = {1: index}
    buffer = BytesIO()
    Image.new("RGB", (16, 16), (60, 180, 75)).save(buffer, "JPEG", exif=exif, quality=100)

    decoded = first(decode_image(buffer.getvalue(), limits))

    # 60, 180, 75 by the matrix and power of Adobe RGB (1998): red is out of sRGB.
    assert np.abs(decoded - ((0, 180, 66) if index == "R03" else (60, 180, 75))).max() <= 3


def avif(colour: tuple[int, int, int], primaries: int, transfer: int) -> bytes:
    """Return an AVIF with those code points in the place where Pillow writes sRGB's."""
    buffer = BytesIO()
    Image.new("RGB", (16, 16), colour).save(buffer, "AVIF", quality=100, subsampling="4:4:4")
    srgb = struct.pack(">8sHH", b"colrnclx", BT709, SRGB_CURVE)
    assert buffer.getvalue().count(srgb) == 1
    return buffer.getvalue().replace(srgb, struct.pack(">8sHH", b"colrnclx", primaries, transfer))


@pytest.mark.parametrize(
    ("primaries", "transfer", "expected"),
    [(P3, SRGB_CURVE, SRGB_GREEN), (BT709, SRGB_CURVE, AS_SAID), (BT2020, PQ, AS_SAID)],
)
def test_what_an_avif_says_of_its_colours_counts(
    limits: Limits, primaries: int, transfer: int, expected: tuple[int, ...]
) -> None:
    decoded = first(decode_image(avif(P3_GREEN, primaries, transfer), limits))

    assert np.abs(decoded - expected).max() <= 3


def test_an_avif_cut_within_its_colours_says_nothing() -> None:
    with Image.open(BytesIO(avif(P3_GREEN, P3, SRGB_CURVE))) as picture:
        for cut in (b"", b"\0", b"\0\x0c\0"):
            assert find_profile(picture, b"....colrnclx" + cut) is None


@pytest.mark.parametrize("data", [b"", b"....colrnclx\0\x0c\0\x0d", b"colrnclx\0\x0c\0\x0d...."])
def test_the_colours_of_an_avif_count_wherever_they_lie(data: bytes) -> None:
    expected = profile_of(PRIMARIES[P3]) if data else None

    assert find_profile(described("AVIF"), data) == expected


@pytest.mark.skipif(AVIFENC is None, reason="libavif-bin is not installed")
@pytest.mark.parametrize("depth", [8, 10, 12])
def test_an_avif_of_any_depth_is_scaled(
    photos: list[Image.Image], limits: Limits, tmp_path: Path, depth: int
) -> None:
    photos[1].save(tmp_path / "photo.png", icc_profile=None)
    exact = ["-d", str(depth), "-y", "444", "--min", "0", "--max", "0", "-s", "8"]
    files = [str(tmp_path / "photo.png"), str(tmp_path / "photo.avif")]
    subprocess.run([str(AVIFENC), *exact, *files], check=True, capture_output=True)

    decoded = decode_image((tmp_path / "photo.avif").read_bytes(), limits)

    assert np.abs(np.asarray(decoded, int) - np.asarray(photos[1], int)).mean() < 1


HEIC_SCRIPT = """
import json, sys
from io import BytesIO
import numpy as np
import pillow_heif
from PIL import Image
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image, register_heif, share_threads

register_heif()
share_threads(3)
assert pillow_heif.options.DECODE_THREADS == 3
profile = bytes.fromhex(sys.argv[1])
colour = np.array([60, 180, 75])
deep = np.broadcast_to((colour * 257).astype(np.uint16), (64, 64, 3)).tobytes()
flat = np.broadcast_to(colour.astype(np.uint8), (64, 64, 3)).tobytes()
p3 = dict(color_primaries=12, transfer_characteristics=13, matrix_coefficients=1, full_range_flag=1)
seen = {}
for name, mode, data, options in (
    ("plain", "RGB", flat, {}),
    ("10 bits", "RGB;16", deep, {}),
    ("profile", "RGB", flat, {"icc_profile": profile}),
    ("10 bits and profile", "RGB;16", deep, {"icc_profile": profile}),
    ("nclx", "RGB", flat, p3),
):
    file = BytesIO()
    heif = pillow_heif.from_bytes(mode, (64, 64), data)
    heif.save(file, quality=-1, chroma=444, **options)
    decoded = decode_image(file.getvalue(), Limits(10**7, 10**7, 10**7))
    assert type(decoded) is Image.Image  # and no decoder that holds a copy
    seen[name] = [decoded.mode, *np.asarray(decoded)[8, 8].tolist()]
print(json.dumps(seen))
"""


@pytest.mark.skipif(not WHEELS.exists(), reason="make archive has not fetched pillow-heif")
def test_heic_is_seen_in_its_colours_and_at_its_depth(tmp_path: Path) -> None:
    # Into a folder of its own: the environment of the tests has no pillow-heif.
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--target")
    wheels = ("--find-links", str(WHEELS), "pillow-heif")
    subprocess.run([*install, str(tmp_path), *wheels], check=True)
    paths = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT / 'handler')!r}]\n"

    answer = subprocess.run(
        [sys.executable, "-c", paths + HEIC_SCRIPT, P3_ICC.hex()],
        check=True,
        capture_output=True,
    )

    seen = json.loads(answer.stdout)
    for name in ("plain", "10 bits"):
        assert seen[name] == ["RGB", *(pytest.approx(level, abs=3) for level in AS_SAID)]
    for name in ("profile", "10 bits and profile", "nclx"):
        assert seen[name] == ["RGB", *(pytest.approx(level, abs=4) for level in SRGB_GREEN)]


# ITU-T H.273, table 2: x and y of green, blue and red, as the table orders them; then of white.
H273 = {
    1: "0.300 0.600 0.150 0.060 0.640 0.330 0.3127 0.3290",
    5: "0.29 0.60 0.15 0.06 0.64 0.33 0.3127 0.3290",
    6: "0.310 0.595 0.155 0.070 0.630 0.340 0.3127 0.3290",
    9: "0.170 0.797 0.131 0.046 0.708 0.292 0.3127 0.3290",
    11: "0.265 0.690 0.150 0.060 0.680 0.320 0.314 0.351",
    12: "0.265 0.690 0.150 0.060 0.680 0.320 0.3127 0.3290",
}


def test_the_primaries_are_those_of_the_standard() -> None:
    for code, text in H273.items():
        numbers = tuple(float(each) for each in text.split())
        assert PRIMARIES[code] == (*numbers[6:], *numbers[4:6], *numbers[:4])
    assert PRIMARIES.keys() == H273.keys()
    # Adobe RGB (1998), 4.3.1.
    assert ADOBE_RGB == (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
    # The same, 4.3.4.2.
    assert ADOBE_GAMMA == 2.19921875


def test_the_curves_are_those_of_the_standard() -> None:
    # ITU-T H.273, table 3: gamma 2.2 and 2.8, linear; the other ones are shown by sRGB's.
    assert {code: gamma for code, gamma in GAMMAS.items() if gamma} == {4: 2.2, 5: 2.8, 8: 1.0}
    assert {code for code, gamma in GAMMAS.items() if gamma is None} == {1, 2, 6, 13, 14, 15}


def described(file_format: str, **info: object) -> Image.Image:
    """Return a picture of a file that says so of its colours."""
    picture = Image.new("RGB", (1, 1))
    picture.format = file_format
    picture.info.update(info)
    return picture


@pytest.mark.parametrize(
    ("gamma", "converted"),
    [
        (0.45455, False),
        *((0.45455 * factor, False) for factor in (0.951, 1.049)),
        *((0.45455 * factor, True) for factor in (0.949, 1.051)),
        *((0.05, True), (0.0499, False), (20.0, True), (20.1, False)),
    ],
)
def test_a_gamma_counts_between_its_limits(gamma: float, converted: bool) -> None:
    profile = find_profile(described("PNG", gamma=gamma), b"")

    assert profile == (profile_of(SRGB, 1 / gamma) if converted else None)


def test_primaries_count_whichever_way_they_differ() -> None:
    for primaries in (ADOBE_RGB, PRIMARIES[5], PRIMARIES[P3]):
        expected = profile_of(primaries)

        assert find_profile(described("PNG", chromaticity=primaries), b"") == expected
    for code in (5, P3):
        assert find_profile(described("PNG", cicp=(code, SRGB_CURVE, 0, 1)), b"") == profile_of(
            PRIMARIES[code]
        )


def test_a_heics_own_code_points_count() -> None:
    nclx = {"color_primaries": P3, "transfer_characteristics": LINEAR}

    found = find_profile(described("HEIF", nclx_profile=nclx), b"colrnclx\0\x09\0\x0d")

    assert found == profile_of(PRIMARIES[P3], 1.0)


@pytest.mark.parametrize("profile", [b"", "text"])
@pytest.mark.parametrize("file_format", ["JPEG", "TIFF", "WEBP"])
def test_a_camera_counts_where_there_is_no_profile(file_format: str, profile: object) -> None:
    exif, file = Image.Exif(), BytesIO()
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    Image.new("RGB", (1, 1)).save(file, "JPEG", exif=exif)
    marked = Image.open(file).info["exif"]

    found = find_profile(described(file_format, icc_profile=profile, exif=marked), b"")

    assert found == profile_of(ADOBE_RGB, 563 / 256)


def fixed(data: bytes) -> list[float]:
    """Return numbers of 16 bits before and behind the point (ICC.1, 4.6)."""
    return [number / 65536 for (number,) in struct.iter_unpack(">i", data)]


@pytest.mark.parametrize(
    ("gamma", "kind", "numbers"),
    # IEC 61966-2-1: 2.4, and where its line and its power meet.
    [(None, 3, [2.4, 0.947867, 0.052133, 0.077399, 0.04045]), (1.8, 0, [1.8])],
    ids=["sRGB's curve", "a power"],
)
def test_a_made_profile_is_laid_out_as_the_standard_says(
    gamma: float | None, kind: int, numbers: list[float]
) -> None:
    # ICC.1, 7.2, 7.3 and 10.18.
    profile = profile_of(SRGB, gamma)

    assert struct.unpack_from(">I", profile) == (len(profile),)
    assert profile[8:24] == b"\x04\x30\0\0mntrRGB XYZ "
    assert (profile[36:40], profile[68:80].hex()) == (b"acsp", "0000f6d6000100000000d32d")
    tags = dict(zip(*tags_of(profile), strict=True))
    assert list(tags) == [b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"]
    assert tags[b"wtpt"] == b"XYZ \0\0\0\0" + profile[68:80]
    curve = tags[b"rTRC"]
    assert curve == tags[b"gTRC"] == tags[b"bTRC"]
    assert curve[:12] == struct.pack(">4s4xHxx", b"para", kind)
    assert fixed(curve[12:]) == pytest.approx(numbers, abs=1e-5)


def tags_of(profile: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return names and contents of a profile's tags, which lie one behind the other."""
    (count,) = struct.unpack_from(">I", profile, 128)
    end = 128 + 4 + 12 * count
    names: list[bytes] = []
    contents: list[bytes] = []
    for name, start, length in struct.iter_unpack(">4sII", profile[132:end]):
        assert start == end + len(b"".join(contents))
        names.append(name)
        contents.append(profile[start : start + length])
    return names, contents


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, None),
        ({"color_primaries": P3}, None),
        ({"transfer_characteristics": SRGB_CURVE}, None),
        (
            {"color_primaries": P3, "transfer_characteristics": SRGB_CURVE},
            matrix_profile(PRIMARIES[P3], None),
        ),
    ],
)
def test_what_a_heic_leaves_open_is_not_guessed(
    said: dict[str, int], expected: bytes | None
) -> None:
    assert find_profile(described("HEIF", nclx_profile=said), b"") == expected
