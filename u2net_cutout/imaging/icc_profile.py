"""What a file says of its colours, as an ICC profile. Knows file formats; converts nothing.

Beside a profile: PNG's cICP, gAMA and cHRM (https://www.w3.org/TR/png-3/#11addnlcolinfo), AVIF's
and HEIC's nclx (ISO/IEC 14496-12, 12.1.5), and the cameras' sign for Adobe RGB (DCF 2.0, CIPA
DC-009).
"""

import struct

import numpy as np
import numpy.typing as npt
from PIL import Image

from u2net_cutout.imaging.exif import is_adobe_rgb

# White, red, green and blue, each x and y: PNG's order.
Chromaticities = tuple[float, float, float, float, float, float, float, float]

D65 = (0.3127, 0.3290)
SRGB: Chromaticities = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE_RGB: Chromaticities = (*D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
ADOBE_GAMMA = 563 / 256

# Coding-independent code points (ITU-T H.273, tables 2 and 3): the colours of still pictures.
PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB,
    5: (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (*D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (*D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
# None is sRGB's own curve, which browsers also take for those of video (1, 6, 14, 15). PQ and HLG
# (16, 18) are not here: high dynamic range would have to be tone-mapped, not converted.
GAMMAS: dict[int, float | None] = {
    1: None,
    2: None,
    4: 2.2,
    5: 2.8,
    6: None,
    8: 1.0,
    13: None,
    14: None,
    15: None,
}

# libpng's threshold below which two gammas are the same; so 0.45455 means sRGB, whose encoders
# write it (PNG, 11.3.2.5), and not 1 / 2.2 itself.
SAME_GAMMA = 0.05
SRGB_GAMMA = 0.45455
MAX_GAMMA = 20.0

BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)

D50 = (0.9642, 1.0, 0.8249)
HEADER_BYTES = 128


def find_profile(picture: Image.Image, data: bytes | bytearray) -> bytes | None:
    """Return the ICC profile of an opened file, or one derived from what else it says.

    None: it says nothing, just sRGB, or what can't be converted. The first of several counts: in
    PNG it is cICP, iCCP, sRGB, gAMA and cHRM, elsewhere the profile.
    """
    if "cicp" in picture.info:
        primaries, transfer, *_ = picture.info["cicp"]
        return _coded(primaries, transfer)
    profile = picture.info.get("icc_profile")
    if isinstance(profile, bytes) and profile:
        return profile
    if picture.format == "PNG":
        return None if "srgb" in picture.info else _calibrated(picture)
    if picture.format in ("AVIF", "HEIF"):
        return _nclx(picture, data)
    marked = is_adobe_rgb(picture.info.get("exif") or b"")
    return matrix_profile(ADOBE_RGB, ADOBE_GAMMA) if marked else None


def matrix_profile(chromaticities: Chromaticities, gamma: float | None) -> bytes | None:
    """Return the profile of a display of such primaries; None if there can't be one.

    Its curve is a power, or sRGB's own if `gamma` is None. The tags are those that ICC.1, 8.3.3,
    wants, less its texts, which nothing reads.
    """
    try:
        columns = [_xyz(*column) for column in (D50, *_colorants(chromaticities).T)]
        power = [gamma] if gamma else [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045]
        curve = struct.pack(">4s4xHxx", b"para", 0 if gamma else 3) + _fixed(*power)
    except (ArithmeticError, struct.error, ValueError):
        return None
    names = (b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")
    table, body = struct.pack(">I", len(names)), b""
    for name, tag in zip(names, (*columns, curve, curve, curve), strict=True):
        table += struct.pack(
            ">4sII", name, HEADER_BYTES + 4 + 12 * len(names) + len(body), len(tag)
        )
        body += tag
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x12s48x",
        HEADER_BYTES + len(table) + len(body),
        0x04300000,
        b"mntr",
        b"RGB ",
        b"XYZ ",
        b"acsp",
        _fixed(*D50),
    )
    return header + table + body


def _colorants(chromaticities: Chromaticities) -> npt.NDArray[np.float64]:
    """Return XYZ of red, green and blue as columns, seen under ICC's white, D50 (annex E)."""
    points = zip(chromaticities[::2], chromaticities[1::2], strict=True)
    white, *primaries = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in points)
    columns = np.stack(primaries, axis=1)
    columns = columns * np.linalg.solve(columns, white)
    cones = (BRADFORD @ D50) / (BRADFORD @ white)
    return np.linalg.solve(BRADFORD, cones[:, None] * (BRADFORD @ columns))


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _coded(primaries: int, transfer: int) -> bytes | None:
    """Return the profile of code points; None for sRGB and for what can't be converted."""
    chromaticities = PRIMARIES.get(primaries, SRGB)
    if transfer not in GAMMAS or (chromaticities, GAMMAS[transfer]) == (SRGB, None):
        return None
    return matrix_profile(chromaticities, GAMMAS[transfer])


def _nclx(picture: Image.Image, data: bytes | bytearray) -> bytes | None:
    nclx = picture.info.get("nclx_profile")
    if isinstance(nclx, dict):  # pillow-heif reads it
        return _coded(nclx.get("color_primaries", 0), nclx.get("transfer_characteristics", 0))
    at = data.find(b"colrnclx")  # Pillow doesn't
    if not 0 <= at <= len(data) - 12:
        return None
    return _coded(*struct.unpack_from(">HH", data, at + 8))


def _calibrated(picture: Image.Image) -> bytes | None:
    """Return the profile of PNG's gAMA and cHRM, each of which may stand alone."""
    gamma = picture.info.get("gamma", SRGB_GAMMA)
    chromaticities = picture.info.get("chromaticity", SRGB)
    known = abs(gamma / SRGB_GAMMA - 1) <= SAME_GAMMA
    if (known and chromaticities == SRGB) or not 1 / MAX_GAMMA <= gamma <= MAX_GAMMA:
        return None
    return matrix_profile(chromaticities, None if known else 1 / gamma)
