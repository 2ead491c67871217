"""The foreground's own colour in a cutout's edge. Knows pictures; no request, no network.

Where alpha is between 0 and 255, a photo's pixel is a mixture of foreground and background (I =
alpha F + (1 - alpha) B); laid on another colour it shows a rim of the old background. Here F is
estimated in two steps. Coarse: from the most and the least opaque pixels in cells of a few pixels,
spread into the edge by a pull-push pyramid. Fine: in the edge's pixels only, by the least change of
both colours that makes them mix to what the photo shows.

Sources: the pyramid is that of Gortler et al., "The Lumigraph" (1996); going from coarse to fine,
and a blurred guess that the compositing equation corrects, are the ideas of Germer et al., "Fast
Multi-Level Foreground Estimation" (2020, arXiv:2006.14970), and of Forte, "Approximate Fast
Foreground Colour Estimation" (2021).
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

# How steeply a pixel's say in its layer's colour falls with its share in the mixture: mixed pixels
# count where there are no clearer ones.
STEEPNESS = 20
# Cells in which no pixel has more say are not read.
LEAST_SAY = 1e-3
# The least difference in alpha from which two mixtures' own colours are concluded.
LEAST_GAP = 0.25
# How far the foreground yields to what is seen, against the background's 1. Less, since the
# background is seen on both sides of a hair, and a matte is softer than the true edge.
FOREGROUND_YIELDS = 1 / 2
# Keeps the correction small where it would be noise; the variance of a share in [0, 1].
NOISE = 0.01
# A share of this much of the other layer, in [0, 255], is not worth a correction: it shows by less
# than this many levels. Networks leave such traces all over a matte.
INVISIBLE = 3
# Bounds the memory of each step, and keeps it in the processor's cache.
CHUNK_PIXELS = 1 << 16
BAND_PIXELS = 1 << 18

Array = npt.NDArray[Any]


def decontaminate(picture: Image.Image, alpha: Image.Image, cells: int) -> Image.Image:
    """Cut an RGB picture out so that pixels in the edge have the foreground's own colour.

    There are at most `cells` along each side: the resolution of the network's own matte, which is
    square whatever the picture's aspect.

    The result, mode RGBA, has `alpha` (mode L, same size). Where that is 0 or 255, or within
    `INVISIBLE` of that, colours stay the picture's, bit by bit.
    """
    cell = -(-picture.height // cells), -(-picture.width // cells)
    pixels, means, lowest, highest = _in_cells(picture, alpha, cell)
    mixed = (highest > INVISIBLE) & (lowest < 255 - INVISIBLE)
    if mixed.any():
        layers = purify(spread(*_clearest(pixels, means, lowest, highest)))
        padded = F.pad(layers, (1, 1, 1, 1), mode="replicate").flatten(0, 1).numpy()
        reach = _bilinear_weights(cell)
        for rows, columns in _chunks(mixed, cell):
            places = _places(pixels.shape[1], rows * cell[0], columns * cell[1], cell)
            around = _places(padded.shape[2], rows, columns, (3, 3))
            guesses = reach @ torch.from_numpy(padded.reshape(6, -1).take(around, axis=1))
            seen = pixels.reshape(-1).take(places)
            colours, share = _unpacked(seen)
            own = unmix(colours, share / 255, guesses[:3], guesses[3:])
            in_edge = (share > INVISIBLE) & (share < 255 - INVISIBLE)
            pixels.reshape(-1)[places] = np.where(in_edge[0], _packed(own, share), seen)
    stride = pixels.shape[1] * pixels.itemsize
    return Image.frombuffer("RGBA", picture.size, pixels, "raw", "RGBA", stride, 1)


def spread(sums: Tensor, known: Tensor) -> Tensor:
    """Fill in what is known little or not at all: (N, C, H, W) -> (N, C, H, W).

    `sums` holds values times `known` (N, 1, H, W). Where that is 1 or more, the value is known;
    what is missing to 1 comes from the next coarser level.
    """
    scale = 1 / known.clamp(min=1)
    sums, known = sums * scale, known * scale
    height, width = known.shape[-2:]
    if max(height, width) == 1:
        return sums / known
    coarse = spread(*(4 * F.avg_pool2d(x, 2, ceil_mode=True) for x in (sums, known)))
    guess = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
    return sums + guess[:, :, :height, :width].mul_(1 - known)


def purify(mixtures: Tensor) -> Tensor:
    """Return the colours F and B (2, 3, H, W) of which two mixtures (2, 4, H, W) are made.

    The fourth channel is each mixture's alpha, in [0, 255] like the rest. Where the two hardly
    differ, they stay about as they are.
    """
    colours, alpha = mixtures[:, :3], mixtures[:, 3:] / 255
    slope = (colours[0] - colours[1]) / (alpha[0] - alpha[1]).clamp(min=LEAST_GAP)
    wanted = torch.tensor([1.0, 0.0]).view(2, 1, 1, 1)
    return (colours + (wanted - alpha) * slope).clamp(0, 255)


def unmix(seen: Tensor, alpha: Tensor, foreground: Tensor, background: Tensor) -> Tensor:
    """Correct a guess of the foreground by what is seen: colours in [0, 255], alpha in [0, 1].

    The most likely F, given I = alpha F + (1 - alpha) B, if the errors of both guesses are normal
    and independent.
    """
    rest = 1 - alpha
    unexplained = seen - alpha * foreground - rest * background
    yields = FOREGROUND_YIELDS * alpha
    return (foreground + yields / (yields * alpha + rest**2 + NOISE) * unexplained).clamp(0, 255)


def _in_cells(
    picture: Image.Image, alpha: Image.Image, cell: tuple[int, int]
) -> tuple[Array, Array, Array, Array]:
    """Lay a picture and its alpha out in whole cells.

    Returns both in one integer a pixel, red lowest, the last row and column repeated up to whole
    cells: (H, W); and each cell's mean (rows, columns, 4), lowest and highest alpha.
    """
    width, height = picture.size
    shape = -(-height // cell[0]), -(-width // cell[1])
    pixels = np.empty((shape[0] * cell[0], shape[1] * cell[1]), "<u4")
    means = np.empty((*shape, 4), np.uint8)
    lowest, highest = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
    # Some rows at a time, which stay in the processor's cache for all that is done with them.
    fitting = BAND_PIXELS // (width * cell[0])
    step = max(1, fitting)
    for first in range(0, shape[0], step):
        top, bottom = first * cell[0], min((first + step) * cell[0], height)
        part = picture.crop((0, top, width, bottom))
        share = alpha.crop((0, top, width, bottom))
        rows = slice(first, first + step)
        means[rows, :, :3] = np.asarray(part.reduce(cell[::-1]))
        means[rows, :, 3] = np.asarray(share.reduce(cell[::-1]))
        part.putalpha(share)
        band = pixels[top : top + step * cell[0]]
        band[: bottom - top, :width] = np.asarray(part).view("<u4")[:, :, 0]
        band[: bottom - top, width:] = band[: bottom - top, width - 1 : width]
        band[bottom - top :] = band[bottom - top - 1]
        lowest[rows], highest[rows] = _extremes((band >> 24).astype(np.uint8), cell)
    return pixels, means, lowest, highest


def _packed(colours: Tensor, alpha: Tensor) -> Array:
    """Return colours (3, P, M) and alpha (1, P, M) in [0, 255] in one integer a pixel: (P, M)."""
    red, green, blue, share = torch.cat([colours + 0.5, alpha]).int()
    packed: Array = (red | green << 8 | blue << 16 | share << 24).numpy().view("<u4")
    return packed


def _unpacked(pixels: Array) -> tuple[Tensor, Tensor]:
    """Return the colours (3, P, M) and the alpha (1, P, M) of packed pixels (P, M), in [0, 255]."""
    channels = pixels.view(np.uint8).reshape(*pixels.shape, 4).transpose(2, 0, 1)
    rgba = torch.from_numpy(channels.astype(np.float32, order="C"))
    return rgba[:3], rgba[3:]


def _extremes(alpha: Array, cell: tuple[int, int]) -> tuple[Array, Array]:
    """Return the lowest and the highest alpha of each cell: (H, W) -> (rows, columns)."""
    in_cells = torch.from_numpy(alpha.reshape(-1, cell[0], alpha.shape[1] // cell[1], cell[1]))
    # One axis after the other takes a tenth of the time of both at once.
    return in_cells.amin(1).amin(2).numpy(), in_cells.amax(1).amax(2).numpy()


def _clearest(pixels: Array, means: Array, lowest: Array, highest: Array) -> tuple[Tensor, Tensor]:
    """Return the clearest mixtures in each cell, the foreground's first, for `spread`.

    In a cell of one layer alone it is the mean; in others each pixel counts by its share, which
    is 1 for the most, or the least, opaque pixels of the picture.
    """
    cell = pixels.shape[0] // means.shape[0], pixels.shape[1] // means.shape[1]
    pure = np.stack([lowest >= 255 - INVISIBLE, highest <= INVISIBLE])
    known = pure.astype(np.float32)[:, None]
    sums = known * means.transpose(2, 0, 1)
    alpha = np.arange(256.0)
    shares = alpha / highest.max(), (255 - alpha) / (255.0 - lowest.min())
    for layer, (share, purest) in enumerate(zip(shares, (highest, lowest), strict=True)):
        say = (share.clip(max=1) ** STEEPNESS).astype(np.float32)
        for rows, columns in _chunks(~pure.any(axis=0) & (say[purest] > LEAST_SAY), cell):
            places = _places(pixels.shape[1], rows * cell[0], columns * cell[1], cell)
            seen = pixels.reshape(-1).take(places)
            says = torch.from_numpy(say.take(seen >> 24))
            mixtures = torch.cat(_unpacked(seen))
            known[layer][:, rows, columns] = says.sum(dim=0)
            sums[layer][:, rows, columns] = (says * mixtures).sum(dim=1)
    return torch.from_numpy(sums), torch.from_numpy(known)


def _chunks(chosen: Array, cell: tuple[int, int]) -> Iterator[tuple[Array, Array]]:
    """List the rows and columns of the chosen cells, as many at a time as fit the cache."""
    rows, columns = np.nonzero(chosen)
    fitting = CHUNK_PIXELS // math.prod(cell)
    size = max(1, fitting)
    for start in range(0, len(rows), size):
        yield rows[start : start + size], columns[start : start + size]


def _places(width: int, tops: Array, lefts: Array, block: tuple[int, int]) -> Array:
    """Return where, in a flat array `width` wide, M blocks of P elements lie: (P, M)."""
    down, across = np.indices(block).reshape(2, -1, 1)
    places: Array = (down * width + across) + (tops * width + lefts)
    return places


def _bilinear_weights(cell: tuple[int, int]) -> Tensor:
    """Return what the 3 x 3 cells around a cell weigh in each of its P pixels: (P, 9)."""
    offsets = ((torch.arange(side) + 0.5) / side - 0.5 for side in cell)
    return torch.kron(
        *(torch.stack([(-x).clamp(min=0), 1 - x.abs(), x.clamp(min=0)], dim=1) for x in offsets)
    )
