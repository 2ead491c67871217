"""Colours, against arithmetic done here in floats and against other colour engines."""

import shutil
import struct
import subprocess
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from io import BytesIO
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms
from skimage.color import deltaE_ciede2000, rgb2lab

from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image
from u2net_cutout.imaging.srgb import Conversions, build_conversion, to_srgb

Floats = npt.NDArray[np.float64]

DEBIAN_CMYK = Path("/usr/share/color/icc/ghostscript/default_cmyk.icc")
TIFICC = shutil.which("tificc")
CONVERT = shutil.which("convert")

D50 = np.array([0.9642, 1.0, 0.8249])
# The columns of Apple's Display P3 and of HP's sRGB profile: XYZ of red, green and blue under D50.
DISPLAY_P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)
SRGB = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)


def linear(levels: npt.NDArray[np.uint8]) -> Floats:
    share = levels / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def levels(share: Floats) -> npt.NDArray[np.uint8]:
    share = share.clip(0, 1)
    curved = np.where(share <= 0.0031308, share * 12.92, 1.055 * share ** (1 / 2.4) - 0.055)
    return (curved * 255).round().astype(np.uint8)


def numbers(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def icc(space: bytes, pcs: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    """Return a profile of version 2 (ICC.1:2001-04)."""
    table, body = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        at = 128 + 4 + 12 * len(tags) + len(body)
        table += struct.pack(">4sII", name, at, len(tag))
        body += tag + bytes(-len(tag) % 4)
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4xI4s4s4s12x4s28x", size, 0x02400000, kind, space, pcs, b"acsp")
    return head + numbers(*D50) + bytes(48) + table + body


def xyz(values: Floats) -> bytes:
    return b"XYZ \0\0\0\0" + numbers(*values)


def curve(shares: Floats) -> bytes:
    table = (shares * 65535).round().astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", len(table)) + table.tobytes()


def gamma(power: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(power * 256))


def rgb_profile(columns: Floats, tone: bytes) -> bytes:
    tags = {b"wtpt": xyz(D50)}
    for name, column in zip((b"r", b"g", b"b"), columns.T, strict=True):
        tags |= {name + b"XYZ": xyz(column), name + b"TRC": tone}
    return icc(b"RGB ", b"XYZ ", tags)


def grey_profile(tone: bytes) -> bytes:
    return icc(b"GRAY", b"XYZ ", {b"wtpt": xyz(D50), b"kTRC": tone})


SRGB_CURVE = curve(linear(np.arange(256, dtype=np.uint8)))
P3_PROFILE = rgb_profile(DISPLAY_P3, SRGB_CURVE)
SQUARE_GREY = grey_profile(gamma(1.0))

# Lab of what each of the sixteen prints of 0 or 100 % of four inks looks like, in no real press.
PRINTS = np.array(
    [
        [95 * (1 - 0.9 * k) * (1 - 0.3 * c - 0.3 * m - 0.05 * y), 0, 0]
        + (1 - k) * np.array([0, 70 * m - 30 * c, 85 * y - 45 * c - 5 * m])
        for c, m, y, k in product((0, 1), repeat=4)
    ]
)
PRINTS[0] = 100, 0, 0
PRINTS[-1] = 0, 0, 0


def looks(share: Floats) -> Floats:
    """Return Lab of (..., 4) inks of 0 to 1: the prints weighed by how much of each there is."""
    corners = np.array(list(product((0, 1), repeat=4)))
    weights = np.where(corners, share[..., None, :], 1 - share[..., None, :]).prod(axis=-1)
    return np.asarray(weights @ PRINTS)


def print_profile(steps: int = 9) -> bytes:
    """Return a profile of those prints: a lut8 of so many steps an ink."""
    nodes = np.array(list(product(np.linspace(0, 1, steps), repeat=4)))
    table = (looks(nodes) * (255 / 100, 1, 1) + (0, 128, 128)).round().clip(0, 255)
    straight = bytes(range(256))
    head = b"mft1\0\0\0\0" + bytes([4, 3, steps, 0]) + numbers(1, 0, 0, 0, 1, 0, 0, 0, 1)
    lut = head + 4 * straight + table.astype(np.uint8).tobytes() + 3 * straight
    return icc(b"CMYK", b"Lab ", {b"wtpt": xyz(D50), b"A2B0": lut, b"A2B1": lut}, b"prtr")


def printed(inks: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return (H, W, 4) inks as sRGB, in floats."""
    lab = looks(inks / 255)
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    seen = np.where(f > 6 / 29, f**3, (f - 4 / 29) * 3 * (6 / 29) ** 2) * D50
    return levels(seen @ np.linalg.inv(SRGB).T)


def with_black(photo: Image.Image) -> Image.Image:
    """Return a photo as a printer's four inks, by hand; Pillow never uses black."""
    paper = 255 - np.asarray(photo, np.int16)
    black = paper.min(axis=-1, keepdims=True)
    return Image.frombytes(
        "CMYK", photo.size, np.concatenate([paper - black, black], -1).astype(np.uint8).tobytes()
    )


def delta_e(one: Image.Image, other: Image.Image | npt.NDArray[np.uint8]) -> float:
    labs = rgb2lab(np.asarray(one)), rgb2lab(np.asarray(other))
    return float(deltaE_ciede2000(*labs).mean())  # type: ignore[no-untyped-call]


def saved(picture: Image.Image, file_format: str, profile: bytes | None = None) -> bytes:
    buffer = BytesIO()
    exact = {"quality": 100, "subsampling": 0} if file_format == "JPEG" else {}
    picture.save(buffer, file_format, icc_profile=profile, **exact)
    return buffer.getvalue()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_a_display_p3_photo_is_seen_in_its_colours(
    photos: list[Image.Image], limits: Limits, file_format: str
) -> None:
    data = saved(photos[1], file_format, P3_PROFILE)
    with Image.open(BytesIO(data)) as stored:
        light = linear(np.asarray(stored)) @ (np.linalg.inv(SRGB) @ DISPLAY_P3).T

    decoded = decode_image(data, limits)

    assert decoded.mode == "RGB"
    assert delta_e(decoded, levels(light)) < 0.5
    assert delta_e(decoded, np.asarray(photos[1])) > 1.5


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_a_cmyk_photo_is_seen_as_its_profile_prints_it(
    photos: list[Image.Image], limits: Limits, file_format: str
) -> None:
    inks = with_black(photos[2])

    decoded = decode_image(saved(inks, file_format, print_profile()), limits)

    assert delta_e(decoded, printed(np.asarray(inks))) < 2
    assert delta_e(decoded, np.asarray(photos[2])) > 4


def by_tificc(file: Path, profile: Path, result: Path) -> list[str]:
    inks = ["-i", str(profile), "-o", "*sRGB", "-t1", "-b"]
    return [str(TIFICC), *inks, str(file), str(result)]


def by_imagemagick(file: Path, profile: Path, result: Path) -> list[str]:
    target = result.with_suffix(".icc")
    target.write_bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    relative = ["-intent", "relative", "-black-point-compensation"]
    profiles = ["-profile", str(profile), "-profile", str(target)]
    return [str(CONVERT), str(file), "+profile", "icc", *relative, *profiles, str(result)]


ENGINES = pytest.mark.parametrize(
    "engine",
    [
        pytest.param(
            by_tificc,
            marks=pytest.mark.skipif(TIFICC is None, reason="liblcms2-utils is not installed"),
        ),
        pytest.param(
            by_imagemagick,
            marks=pytest.mark.skipif(CONVERT is None, reason="imagemagick is not installed"),
        ),
    ],
)
Engine = Callable[[Path, Path, Path], list[str]]


def by_another(engine: Engine, picture: Image.Image, profile: bytes, folder: Path) -> Image.Image:
    stored, result, icc_file = folder / "stored.tif", folder / "result.tif", folder / "own.icc"
    Image.frombytes(picture.mode, picture.size, picture.tobytes()).save(stored)
    icc_file.write_bytes(profile)
    subprocess.run(engine(stored, icc_file, result), check=True, capture_output=True)
    return Image.open(result).convert("RGB")


@ENGINES
def test_a_display_p3_photo_looks_as_another_engine_shows_it(
    photos: list[Image.Image], limits: Limits, tmp_path: Path, engine: Engine
) -> None:
    for photo in photos:
        theirs = by_another(engine, photo, P3_PROFILE, tmp_path)

        assert delta_e(decode_image(saved(photo, "PNG", P3_PROFILE), limits), theirs) <= 2


@ENGINES
@pytest.mark.skipif(not DEBIAN_CMYK.exists(), reason="libgs-common is not installed")
def test_a_cmyk_photo_looks_as_another_engine_shows_it(
    photos: list[Image.Image], limits: Limits, tmp_path: Path, engine: Engine
) -> None:
    profile = DEBIAN_CMYK.read_bytes()
    for photo in photos:
        inks = with_black(photo)
        theirs = by_another(engine, inks, profile, tmp_path)

        assert delta_e(decode_image(saved(inks, "TIFF", profile), limits), theirs) <= 2
        assert delta_e(decode_image(saved(inks, "JPEG", profile), limits), theirs) <= 2


def test_a_photo_of_a_camera_in_adobe_rgb_is_seen_in_its_colours(
    photo_files: list[Path], limits: Limits
) -> None:
    # The matrix and power of Adobe RGB (1998), 4.3.
    matrix = [[2.04159, -0.56501, -0.34473], [-0.96924, 1.87597, 0.04156]]
    to_xyz = np.linalg.inv([*matrix, [0.01344, -0.11836, 1.01517]])
    xyz_to_srgb = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.057]]
    with Image.open(photo_files[3]) as rocket:
        light = (np.asarray(rocket) / 255) ** (563 / 256) @ to_xyz.T @ np.array(xyz_to_srgb).T

    decoded = decode_image(photo_files[3].read_bytes(), limits)

    assert delta_e(decoded, levels(light)) < 0.5


def test_a_profile_that_is_srgb_changes_nothing(photo_files: list[Path]) -> None:
    with Image.open(photo_files[0]) as astronaut:
        of_hewlett_packard = astronaut.info["icc_profile"]
        shown = to_srgb(astronaut, of_hewlett_packard)

        assert shown.tobytes() == astronaut.convert("RGB").tobytes()
    for profile in (of_hewlett_packard, rgb_profile(SRGB, SRGB_CURVE), grey_profile(SRGB_CURVE)):
        conversion = build_conversion(profile)
        assert conversion is not None
        assert not conversion.transforms


@pytest.mark.parametrize(
    "profile",
    [P3_PROFILE, rgb_profile(SRGB, gamma(1.8)), rgb_profile(SRGB, gamma(2.2)), SQUARE_GREY],
    ids=["other primaries", "other curve", "almost its curve", "grey"],
)
def test_a_profile_that_is_almost_srgb_is_not_taken_for_it(profile: bytes) -> None:
    conversion = build_conversion(profile)

    assert conversion is not None
    assert conversion.transforms


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("profile", [P3_PROFILE, SQUARE_GREY], ids=["P3", "grey"])
def test_alpha_survives_a_conversion_untouched(mode: str, profile: bytes) -> None:
    alpha = np.arange(256, dtype=np.uint8)[None]
    picture = Image.new("RGB", (256, 1), (128, 128, 128))
    picture.putalpha(Image.fromarray(alpha))
    if mode == "P":
        picture = Image.frombytes("P", (256, 1), alpha.tobytes())
        picture.putpalette([128, 128, 128] * 256)
        picture.info["transparency"] = alpha.tobytes()
    elif mode == "LA":
        picture = picture.convert("LA")

    converted = to_srgb(picture, profile)

    assert converted.mode == "RGBA"
    assert converted.getchannel("A").tobytes() == alpha.tobytes()
    grey = 128 if profile is P3_PROFILE else 188
    assert np.asarray(converted)[0, 0].tolist() == [grey, grey, grey, 0]


@pytest.mark.parametrize(
    ("picture", "profile", "expected"),
    [
        (Image.new("L", (1, 1), 128), SQUARE_GREY, (188, 188, 188)),
        (Image.new("1", (1, 1), 1), SQUARE_GREY, (255, 255, 255)),
        (Image.new("RGB", (1, 1), (128, 128, 128)), SQUARE_GREY, (188, 188, 188)),
        (Image.new("L", (1, 1), 128), rgb_profile(SRGB, gamma(1.0)), (188, 188, 188)),
        (Image.new("YCbCr", (1, 1), (128, 128, 128)), rgb_profile(SRGB, gamma(1)), (188,) * 3),
        (Image.new("RGB", (1, 1), (1, 2, 3)), SQUARE_GREY, (1, 2, 3)),
        (Image.new("RGB", (1, 1), (1, 2, 3)), print_profile(), (1, 2, 3)),
        (Image.new("L", (1, 1), 77), print_profile(), (77, 77, 77)),
        (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), P3_PROFILE, (255, 0, 0)),
        (Image.new("CMYK", (1, 1), (0, 0, 0, 128)), None, (127, 127, 127)),
        (Image.frombytes("LAB", (1, 1), b"\x80\0\0"), rgb_profile(SRGB, gamma(1)), (119,) * 3),
    ],
    ids=[
        "grey by grey",
        "1-bit by grey",
        "grey stored as RGB by grey",
        "grey by RGB",
        "YCbCr by RGB",
        "colours by grey, which does not fit",
        "RGB by CMYK, which does not fit",
        "grey by CMYK, which does not fit",
        "CMYK by RGB, which does not fit",
        "CMYK by none",
        "Lab, which needs none",
    ],
)
def test_a_profile_counts_where_it_fits(
    picture: Image.Image, profile: bytes | None, expected: tuple[int, ...]
) -> None:
    shown = np.asarray(to_srgb(picture, profile), int)[0, 0]

    assert np.abs(shown - expected).max() <= 1


@pytest.mark.parametrize(
    "profile",
    [
        b"garbage",
        P3_PROFILE[:100],
        P3_PROFILE[:300],
        bytes(4000),
        icc(b"RGB ", b"XYZ ", {}),
        icc(b"Lab ", b"XYZ ", {}),
        icc(b"RGB ", b"Lab ", {b"A2B0": b"mft1" + bytes(60)}),
        icc(b"RGB ", b"XYZ ", {}, b"link"),
    ],
)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_broken_profile_does_not_lose_the_picture(
    limits: Limits, file_format: str, profile: bytes
) -> None:
    decoded = decode_image(saved(Image.new("RGB", (8, 8), "red"), file_format, profile), limits)

    assert np.abs(np.asarray(decoded, int) - (255, 0, 0)).max() <= 2


def test_profiles_damaged_at_random_do_no_harm() -> None:
    random = np.random.default_rng(3)
    for profile in (P3_PROFILE, print_profile(steps=2), SQUARE_GREY):
        for _ in range(100):
            damaged = np.frombuffer(profile, np.uint8).copy()
            damaged[random.integers(0, len(damaged), 4)] = random.integers(0, 256, 4)
            for mode in ("RGBA", "L", "CMYK"):
                shown = to_srgb(Image.new(mode, (2, 2)), damaged.tobytes())
                assert (shown.mode, shown.size) == ("RGBA" if mode == "RGBA" else "RGB", (2, 2))


def test_a_decoded_picture_carries_no_profile_that_would_be_applied_again(limits: Limits) -> None:
    decoded = decode_image(saved(Image.new("RGB", (1, 1)), "PNG", P3_PROFILE), limits)

    assert not decoded.info


def test_a_profile_met_again_is_not_read_again() -> None:
    conversions = Conversions(size=2)
    first = conversions.find(P3_PROFILE)

    assert conversions.find(bytes(P3_PROFILE)) is first
    for other in (SQUARE_GREY, print_profile()):
        conversions.find(other)
        if other is SQUARE_GREY:  # met again, it is not the one to go
            assert conversions.find(P3_PROFILE) is first
    assert conversions.find(P3_PROFILE) is first
    conversions.find(SQUARE_GREY)
    conversions.find(print_profile())
    assert conversions.find(P3_PROFILE) is not first


def test_not_every_profile_ever_met_is_kept() -> None:
    conversions = Conversions()
    for power in range(16 + 9):
        conversions.find(grey_profile(gamma(1 + power / 100)))

    assert len(conversions._known) == 16


@pytest.mark.parametrize(("levels_off", "changes"), [(0, False), (1, False), (2, True)])
def test_a_profile_may_move_levels_by_one(levels_off: int, changes: bool) -> None:
    moved = np.arange(256, dtype=np.uint8)
    moved[40:220] -= levels_off

    conversion = build_conversion(grey_profile(curve(linear(moved))))

    assert conversion is not None
    assert bool(conversion.transforms) is changes


@pytest.mark.parametrize(
    ("mode", "profile"), [("RGB", P3_PROFILE), ("RGBA", P3_PROFILE), ("RGB", None)]
)
def test_a_picture_is_changed_in_place_where_that_is_its_mode(
    mode: str, profile: bytes | None
) -> None:
    picture = Image.new(mode, (2, 2), (60, 180, 75))

    assert to_srgb(picture, profile) is picture


def test_equal_conversions_stay() -> None:
    conversion = build_conversion(P3_PROFILE)
    assert conversion is not None

    with pytest.raises(FrozenInstanceError):
        conversion.transforms = {}  # type: ignore[misc]
