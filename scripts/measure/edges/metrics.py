"""How far a matte, or a cutout's colour, is from the truth: the measures of the matting literature.

SAD, MSE, gradient and connectivity error are those of Rhemann et al., "A Perceptually Motivated
Online Benchmark for Image Matting" (CVPR 2009), with its constants, written from the paper. Like
there, they are taken in an unknown region only, where one is given. The numbers of
alphamatting.com come from the authors' own program; don't compare with them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

# The deviation of the Gaussian whose derivative is the gradient, in pixels.
GRADIENT_SIGMA = 1.4
# How finely mattes are thresholded to find what is connected.
CONNECTIVITY_STEP = 0.1
# A pixel's distance to the connected part below which it counts as connected.
CONNECTIVITY_TOLERANCE = 0.15
# The band in which colours are compared, and the pages that cutouts are laid on: sRGB in [0, 1].
BAND = (0.02, 0.98)
PAGES = {"black": (0, 0, 0), "white": (1, 1, 1), "green": (0, 1, 0)}

Floats = npt.NDArray[np.floating[Any]]
Region = npt.NDArray[np.bool_]


def absolute_difference(matte: Floats, truth: Floats, region: Region | None = None) -> float:
    """Return the sum of absolute differences (SAD) of two (H, W) mattes in [0, 1], in thousands."""
    return float(np.abs(matte - truth)[_within(region, truth)].sum() / 1000)


def squared_error(matte: Floats, truth: Floats, region: Region | None = None) -> float:
    """Return the mean squared error (MSE) of two (H, W) mattes in [0, 1]."""
    return float(np.square(matte - truth)[_within(region, truth)].mean())


def gradient_error(matte: Floats, truth: Floats, region: Region | None = None) -> float:
    """Return the sum of the squared differences of two mattes' gradients, in thousands.

    The gradient is the magnitude of the derivatives of a Gaussian of 1.4 pixels.
    """
    slopes = (
        ndimage.gaussian_gradient_magnitude(np.asarray(layer, np.float64), GRADIENT_SIGMA)
        for layer in (matte, truth)
    )
    first, second = (slope[_within(region, truth)] for slope in slopes)
    return float(np.square(first - second).sum() / 1000)


def connectivity_error(matte: Floats, truth: Floats, region: Region | None = None) -> float:
    """Return the sum of the differences in how connected the pixels are, in thousands.

    A pixel is connected up to the highest threshold at which it belongs to the largest part that
    is opaque in both mattes; what its alpha exceeds that by, if at least 0.15, is not.
    """
    height = np.zeros(truth.shape)
    connected = np.ones(truth.shape, bool)
    for threshold in np.arange(CONNECTIVITY_STEP, 1 + CONNECTIVITY_STEP / 2, CONNECTIVITY_STEP):
        opaque = np.minimum(matte, truth) >= threshold - 1e-6
        connected &= _largest_part(opaque)
        height[connected] = threshold
    excess = (layer - height for layer in (matte, truth))
    first, second = (1 - gap * (gap >= CONNECTIVITY_TOLERANCE) for gap in excess)
    return float(np.abs(first - second)[_within(region, truth)].sum() / 1000)


def colour_error(cutout: Floats, foreground: Floats, alpha: Floats) -> float:
    """Return how far a cutout's colours are off in the edge: the mean over black, white and green.

    Colours are (H, W, 3), alpha is (H, W), all in [0, 1]; colours and truth are laid on each page
    with the same alpha and compared where it is between 0.02 and 0.98.
    """
    band = (alpha > BAND[0]) & (alpha < BAND[1])
    share = alpha[band][:, None]
    errors = [
        np.abs(_laid(cutout[band], share, page) - _laid(foreground[band], share, page)).mean()
        for page in PAGES.values()
    ]
    return float(np.mean(errors))


def _laid(colours: Floats, share: Floats, page: tuple[int, int, int]) -> Floats:
    return share * colours + (1 - share) * np.array(page, np.float32)


def _within(region: Region | None, truth: Floats) -> Region:
    return np.ones(truth.shape, bool) if region is None else region


def _largest_part(opaque: Region) -> Region:
    parts, count = ndimage.label(opaque)
    if not count:
        return opaque
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax())
