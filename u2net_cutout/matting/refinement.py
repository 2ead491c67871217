"""A matte at the photo's own resolution, from one of the network's. Knows pictures and mattes.

The network draws saliency in a square, U²-Net's of 320 x 320 pixels: a hair, or the gap between two
spokes, is smeared to a grey. The photo has the detail: where the colours of foreground and
background nearby differ, a pixel's place between them gives its share of either (I = alpha F + (1 -
alpha) B). Each layer's colours are taken where the matte is sure and spread into the band where it
isn't, as a mean and a covariance; the photo's alpha and the network's are then averaged, each by
the certainty that the spread of the colours leaves it. So where both layers look alike, or are
motley, the network's alpha stays. The further a pixel's colour lies off the line through both
colours, the more the network's alpha counts: the pixel is of something else, whose place on the
line means little.
The network's alpha stays, too, where it rises gently over several of its own pixels: such an edge
the network could resolve, so it is soft. Inside a subject of which the network was nearly sure
nothing becomes more transparent, even if it looks like the background: light lettering on a tyre
stays. Outside of the band nothing changes.

Sources: projecting a pixel on the line between two colours that have a spread is Ruzon and Tomasi,
"Alpha Estimation in Natural Images" (CVPR 2000), and Chuang et al., "A Bayesian Approach to Digital
Matting" (CVPR 2001), here with the network's alpha as the prior of alpha.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from u2net_cutout.matting.foreground import spread

# The band in which the network's alpha counts as unsure.
BAND = (8, 247)
# The variance of the network's alpha at edges it can't resolve; the larger, the more the photo
# counts. An edge is one of these by how much alpha changes over 3 x 3 of the network's pixels: not
# at all up to the first number, wholly from the second on.
DOUBT = 0.15
STEEP = (0.2, 0.4)
# The variance elsewhere: the photo doesn't count.
TRUST = 1e-4
# Where the network's alpha is at least this over 3 x 3 of its pixels, refinement opens no hole.
NEARLY_SURE = 0.9
# The variance of a colour that sensor and compression alone make, in levels squared.
NOISE = 9.0
# The squared distance of a colour off the line through both layers' colours that is usual, in
# variances of that direction.
USUAL = 2.0
# How much of what exceeds it is added to the variance along the line.
DISTRUST = 8.0
# Colours are gathered in cells so wide and high that about this many lie along the longer side.
CELLS = 375
# Bounds the memory of the finest step, and keeps it in the processor's cache.
CHUNK_PIXELS = 1 << 16
# The channels whose products a layer keeps the means of, and how often each is among all nine.
PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
TIMES = (1, 1, 1, 2, 2, 2)

Array = npt.NDArray[Any]


def refine(picture: Image.Image, alpha: Image.Image, resolution: int) -> Image.Image:
    """Sharpen the band of `alpha` (mode L) by `picture` (mode RGB, same size).

    `resolution` is the side length, in pixels, of the square that the network drew it in.

    What is within 8 levels of 0 or 255 stays, bit by bit; so does all of it, if the matte is
    nowhere sure of the foreground or nowhere sure of the background, or if the picture is narrower
    than a cell in which colours are gathered.
    """
    matte = np.array(alpha)
    band = (matte > BAND[0]) & (matte < BAND[1])
    if not band.any() or matte.min() > BAND[0] or matte.max() < BAND[1]:
        return alpha.copy()
    cell = math.ceil(max(alpha.size) / CELLS)
    if min(alpha.size) < cell:
        return alpha.copy()
    colours = np.asarray(picture)
    layers = _layers(colours, matte, cell)
    doubt, inside = _certainty(alpha, resolution)
    height, width = matte.shape
    refined = matte.copy()
    rows, columns = np.nonzero(band)
    for start in range(0, len(rows), CHUNK_PIXELS):
        at = rows[start : start + CHUNK_PIXELS], columns[start : start + CHUNK_PIXELS]
        seen = torch.from_numpy(colours[at].T.astype(np.float32))
        prior = torch.from_numpy(matte[at].astype(np.float32)) / 255
        guesses = _sample(layers, *at, cell)
        share = mixture(seen, prior, torch.from_numpy(doubt[at]), guesses[:9], guesses[9:])
        levels = (share * 255 + 0.5).byte().numpy()
        kept = inside[at[0] * resolution // height, at[1] * resolution // width]
        refined[at] = np.where(kept, np.maximum(levels, matte[at]), levels)
    return Image.fromarray(refined)


def mixture(
    seen: Tensor, prior: Tensor, doubt: Tensor, foreground: Tensor, background: Tensor
) -> Tensor:
    """Return the likeliest alpha (N) of pixels (3, N), given both layers and a prior (N).

    The prior is an alpha and its variance, `doubt`.
    A layer is (9, N): the mean of its colours, in [0, 255], and the six entries of the mean of
    their products, in the order of `PAIRS`.
    """
    line = foreground[:3] - background[:3]
    length = line.square().sum(dim=0)
    offset = seen - background[:3]
    shown = (offset * line).sum(dim=0) / (length + 1)
    share = shown.clamp(0, 1)
    covariance = share**2 * _covariance(foreground) + (1 - share) ** 2 * _covariance(background)
    # What neither layer's spread explains; the place on the line means the less, the more it is.
    aside = offset - shown * line
    unexplained = aside.square().sum(dim=0) - USUAL * _variance(covariance, aside)
    certainty = length / (_variance(covariance, line) + DISTRUST * unexplained.clamp(min=0))
    return ((prior / doubt + shown * certainty) / (1 / doubt + certainty)).clamp(0, 1)


def _certainty(alpha: Image.Image, resolution: int) -> tuple[Array, Array]:
    """Return how the network's alpha may be changed, by what it is over 3 x 3 of its own pixels.

    The variance of alpha, by how steep it is, at each of the picture's pixels: (H, W); and, at each
    of the network's, whether it is nearly sure of the subject: (resolution, resolution), bool.
    """
    reduced = alpha.resize((resolution, resolution), Image.Resampling.BOX)
    levels = torch.from_numpy(np.array(reduced, np.float32))[None] / 255
    highest, lowest = F.max_pool2d(levels, 3, 1, 1)[0], -F.max_pool2d(-levels, 3, 1, 1)[0]
    steepness = ((highest - lowest - STEEP[0]) / (STEEP[1] - STEEP[0])).clamp(0, 1)
    doubt = Image.fromarray((TRUST + DOUBT * steepness).numpy())
    inside = (lowest >= NEARLY_SURE).numpy()
    return np.asarray(doubt.resize(alpha.size, Image.Resampling.BILINEAR)), inside


def _covariance(layer: Tensor) -> Tensor:
    """Return the covariance of a layer's colours (9, N), in the order of `PAIRS`: (6, N)."""
    entries = zip(layer[3:], PAIRS, strict=True)
    return torch.stack([moment - layer[one] * layer[other] for moment, (one, other) in entries])


def _variance(covariance: Tensor, along: Tensor) -> Tensor:
    """Return the variance of colours, noise included, along a direction (3, N) of any length."""
    total = torch.zeros_like(along[0])
    for entry, (one, other), times in zip(covariance, PAIRS, TIMES, strict=True):
        total += times * entry * along[one] * along[other]
    return total.clamp(min=0) / (along.square().sum(dim=0) + 1) + NOISE


def _layers(colours: Array, matte: Array, cell: int) -> Tensor:
    """Return both layers, the foreground's first, in cells of the picture: (1, 18, rows, columns).

    Each is known where the matte is sure, and spread from there everywhere.
    """
    height, width = matte.shape
    fitting = CHUNK_PIXELS // (cell * width)
    rows = max(1, fitting) * cell
    # Laid out beforehand: small results between large scratch would keep the heap from shrinking.
    sums = torch.empty(20, -(-height // cell), -(-width // cell))
    for top in range(0, height, rows):
        levels = torch.from_numpy(matte[top : top + rows])
        seen = torch.from_numpy(colours[top : top + rows].transpose(2, 0, 1).astype(np.float32))
        products = [seen[one] * seen[other] for one, other in PAIRS]
        values = torch.stack([torch.ones_like(seen[0]), *seen, *products])
        sure = torch.stack([levels >= BAND[1], levels <= BAND[0]])
        inside = (values * sure[:, None]).flatten(0, 1)
        # Cells at the rim that the picture doesn't fill count for less.
        whole = F.pad(inside, (0, -width % cell, 0, -levels.shape[0] % cell))
        first = top // cell
        sums[:, first : first + rows // cell] = F.avg_pool2d(whole, cell)
    sums = sums.view(2, 10, *sums.shape[1:])
    return spread(sums[:, 1:], sums[:, :1]).flatten(0, 1)[None]


def _sample(layers: Tensor, rows: Array, columns: Array, cell: int) -> Tensor:
    """Interpolate the layers bilinearly at N pixels: (1, 18, ...) -> (18, N)."""
    size = torch.tensor([layers.shape[3], layers.shape[2]]) * cell
    places = torch.from_numpy(np.stack([columns, rows], axis=-1)) + 0.5
    grid = (places / size * 2 - 1).float()[None, None]
    return F.grid_sample(layers, grid, padding_mode="border", align_corners=False)[0, :, 0]
