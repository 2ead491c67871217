"""The pull-push pyramid of "The Lumigraph" (Gortler et al., 1996), written down with NumPy."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[Any]


def enlarged(coarse: Array, cell: tuple[int, int], shape: tuple[int, int]) -> Array:
    """Interpolate (H, W, C) bilinearly, each of its values the middle of a cell, to a shape."""
    rows, columns = (
        (np.arange(length) + 0.5) / side - 0.5 for length, side in zip(shape, cell, strict=True)
    )
    grid = np.meshgrid(rows, columns, indexing="ij")
    channels = [
        ndimage.map_coordinates(channel, grid, order=1, mode="nearest")
        for channel in np.moveaxis(coarse, -1, 0)
    ]
    return np.stack(channels, axis=-1)


def pull_push(sums: Array, known: Array) -> Array:
    """Fill in (H, W, C), where `sums` are values times `known` (H, W, 1), and 1 is enough of it."""
    scale = np.minimum(1, 1 / np.maximum(known, 1e-300))
    sums, known = sums * scale, known * scale
    if known.size == 1:
        return np.asarray(sums / known)
    coarse = pull_push(*(4 * _halved(each) for each in (sums, known)))
    filled: Array = sums + (1 - known) * enlarged(coarse, (2, 2), known.shape[:2])
    return filled


def _halved(fine: Array) -> Array:
    """Return the means of 2 x 2, at an odd edge those of the 2 or the 1 that are there."""
    rows, columns = -(-fine.shape[0] // 2), -(-fine.shape[1] // 2)
    return np.stack(
        [
            [fine[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean(axis=(0, 1)) for x in range(columns)]
            for y in range(rows)
        ]
    )
