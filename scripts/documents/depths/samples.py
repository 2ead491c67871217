"""Pictures of every kind of samples, and the colours that they mean.

Arithmetic of the specifications alone; no code of the product takes part. TIFF 6.0
(https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf); CIE 1976 L*a*b* under D50, whose
matrix to sRGB is Bruce Lindbloom's (http://www.brucelindbloom.com/Eqn_RGB_XYZ_Matrix.html).
"""

from enum import Enum

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.float64]

WIDTH, HEIGHT = 5, 4

D50 = (0.96422, 1.0, 0.82521)
XYZ_TO_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)


class Kind(Enum):
    """What the samples of a pixel are: name, TIFF's photometric interpretation, how many."""

    GREY = ("grey", 1, 1)
    INVERTED = ("grey, 0 is white", 0, 1)
    RGB = ("RGB", 2, 3)
    PALETTE = ("palette", 3, 1)
    CMYK = ("CMYK", 5, 4)
    YCBCR = ("YCbCr", 6, 3)
    LAB = ("CIE Lab", 8, 3)

    def __init__(self, title: str, photometric: int, channels: int) -> None:
        self.title = title
        self.photometric = photometric
        self.channels = channels


class Alpha(Enum):
    """What a further sample is: how it is called, and TIFF's number of it."""

    NONE = ("", None)
    UNNAMED = (" + a channel of no meaning", 0)
    ASSOCIATED = (" + premultiplied alpha", 1)
    STRAIGHT = (" + alpha", 2)

    def __init__(self, title: str, number: int | None) -> None:
        self.title = title
        self.number = number


def ramps(kind: Kind, alpha: Alpha) -> Levels:
    """Return a picture, (height, width, channels), from 0 to 1; a and b of Lab from -1 to 1."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH] / [[[HEIGHT - 1]], [[WIDTH - 1]]]
    slant = (down + across) / 2
    opacity = 1 - across / 2
    channels = {
        Kind.GREY: [slant],
        Kind.INVERTED: [slant],
        Kind.RGB: [across, down, slant],
        Kind.PALETTE: [slant],
        Kind.CMYK: [across, down, slant, (1 - across) / 2],
        # Within what sRGB holds: how the rest is clipped is a matter of taste.
        Kind.YCBCR: [0.3 + 0.4 * across, 0.4 + 0.2 * down, 0.4 + 0.2 * slant],
        Kind.LAB: [0.5 + 0.3 * across, (down - 0.5) / 5, (slant - 0.5) / 5],
    }[kind]
    if alpha is Alpha.ASSOCIATED:
        channels = [channel * opacity for channel in channels]
    if alpha is not Alpha.NONE:
        channels = [*channels, opacity]
    return np.stack(channels, axis=-1)


def colours(kind: Kind, alpha: Alpha, levels: Levels) -> Levels:
    """Return what the levels show: (height, width, 3 or 4) in sRGB, from 0 to 255."""
    own = levels[..., : kind.channels]
    if alpha is Alpha.ASSOCIATED:
        own = own / levels[..., kind.channels :]
    shown = {
        Kind.GREY: lambda: own.repeat(3, axis=-1),
        Kind.INVERTED: lambda: 1 - own.repeat(3, axis=-1),
        Kind.RGB: lambda: own,
        Kind.PALETTE: lambda: own.repeat(3, axis=-1),
        Kind.CMYK: lambda: (1 - own[..., :3]) * (1 - own[..., 3:]),
        Kind.YCBCR: lambda: _from_ycbcr(own),
        Kind.LAB: lambda: _from_lab(own),
    }[kind]()
    if alpha in (Alpha.ASSOCIATED, Alpha.STRAIGHT):
        shown = np.concatenate([shown, levels[..., kind.channels :]], axis=-1)
    return np.asarray(shown * 255, np.float64)


def _from_ycbcr(levels: Levels) -> Levels:
    """Convert by the luma of ITU-R BT.601, with the middle of the colours at 128 of 255."""
    luma, blue, red = (levels[..., at] - (at > 0) * 128 / 255 for at in range(3))
    green = luma - (0.299 * 1.402 * red + 0.114 * 1.772 * blue) / 0.587
    return np.stack([luma + 1.402 * red, green, luma + 1.772 * blue], axis=-1)


def _from_lab(levels: Levels) -> Levels:
    lightness, a, b = (levels[..., at] * size for at, size in enumerate((100, 127, 127)))
    middle = (lightness + 16) / 116
    cubes = np.stack([middle + a / 500, middle, middle - b / 200], axis=-1)
    linear = np.where(cubes > 6 / 29, cubes**3, 3 * (6 / 29) ** 2 * (cubes - 4 / 29)) * D50
    linear = linear @ XYZ_TO_SRGB.T
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.asarray(curve, np.float64)
