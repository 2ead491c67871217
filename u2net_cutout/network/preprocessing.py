"""From a picture to the network's input, as the authors' own inference does it.

Sources: ``u2net_test.py`` and ``data_loader.py`` (``RescaleT``, ``ToTensorLab``) of
github.com/xuebinqin/U-2-Net, ``Inference.py`` of github.com/xuebinqin/DIS. What differs between
their networks stands in ``variant.py``. Knows pictures and tensors; no
request, no device, no file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from u2net_cutout.network.variant import IMAGENET_MEAN, IMAGENET_STD

CHANNELS = 3


@dataclass(frozen=True)
class Samples:
    """What a square of `size` is blended from, four neighbours for each of its pixels."""

    corners: tuple[npt.NDArray[np.uint8], ...]
    """Upper left, upper right, lower left, lower right: each (size, size * channels)."""
    across: npt.NDArray[np.float32]
    """What the right neighbours weigh: (1, size * channels)."""
    down: npt.NDArray[np.float32]
    """What the lower neighbours weigh: (size, 1)."""


@dataclass(frozen=True)
class Rescale:
    """Squeeze an RGB picture into a square, whatever its aspect: -> (3, size, size) in [0, 255].

    Bilinear without anti-aliasing, pixel centres at halves, which is scikit-image's resize of 2020
    and ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``; an anti-aliased
    resize moves the masks twenty times further from those that the authors published. Each output
    pixel reads four input pixels; Pillow picks them, so that the picture itself is never copied.
    """

    size: int
    whole_levels: bool = False
    """Round down to whole levels."""

    def __call__(self, picture: Image.Image) -> Tensor:
        """Rescale a picture of mode RGB; the result is float32."""
        samples = self.sample(picture)
        square = blend(samples.corners, samples.across, samples.down)
        pixels = torch.from_numpy(square.reshape(self.size, self.size, CHANNELS))
        return self.rounded(pixels).permute(2, 0, 1)

    def sample(self, picture: Image.Image) -> Samples:
        """Pick what the rescaled picture, of mode RGB, is blended from: bytes, nothing rounded."""
        frame = 0
        if min(picture.size) < self.size:  # some samples lie half a pixel beyond the edge
            frame = 1
            around = ((frame, frame), (frame, frame), (0, 0))
            picture = Image.fromarray(np.pad(np.asarray(picture), around, mode="edge"))
        grid = [Sampling(side - 2 * frame, self.size, frame) for side in picture.size]
        corners = (self._pick(picture, grid, (x, y)) for y in (0, 1) for x in (0, 1))
        across, down = (axis.weights() for axis in grid)
        return Samples(tuple(corners), np.repeat(across, CHANNELS)[None], down[:, None])

    def rounded(self, pixels: Tensor) -> Tensor:
        """Return blended pixels as the network sees them; they may be changed in place."""
        return pixels.floor_() if self.whole_levels else pixels

    def _pick(
        self, picture: Image.Image, grid: Iterable["Sampling"], neighbours: tuple[int, int]
    ) -> npt.NDArray[np.uint8]:
        """Pick one of each sample's four neighbours: (size, size * channels)."""
        (step_x, x), (step_y, y) = map(Sampling.stride, grid, neighbours)
        square = (self.size, self.size)
        picked = picture.transform(square, Image.Transform.AFFINE, (step_x, 0, x, 0, step_y, y))
        return np.asarray(picked).reshape(self.size, self.size * CHANNELS)


@dataclass(frozen=True)
class Normalize:
    """Shift and scale (..., 3, H, W) pictures as in training: same shape, about [-2.2, 2.7].

    `white` becomes 1 first: a level, or, without one, each picture's own maximum. A black picture
    stays black.
    """

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    white: float | None = None

    def __call__(self, pixels: Tensor) -> Tensor:
        """Normalize pictures of any non-negative range, on whichever device they are."""
        scaled = pixels / self._white(pixels)
        device = pixels.device
        return scaled.sub_(_levels(self.mean, device)).div_(_levels(self.std, device))

    def _white(self, pixels: Tensor) -> Tensor | float:
        if self.white is not None:
            return self.white
        brightest = pixels.amax((-3, -2, -1), keepdim=True)
        return torch.where(brightest > 0, brightest, 1)


@dataclass(frozen=True)
class Sampling:
    """Where samples lie along one side of a picture, by whole numbers that nothing rounds.

    The i-th of `size` lies at (2 i + 1) length / (2 size) - 1/2, counted from behind the frame.
    """

    length: int
    size: int
    frame: int

    def weights(self) -> npt.NDArray[np.float32]:
        """Return what the second of a sample's two neighbours weighs."""
        positions = (2 * np.arange(self.size) + 1) * self.length - self.size
        return (positions % (2 * self.size) / (2 * self.size)).astype(np.float32)

    def stride(self, neighbour: int) -> tuple[float, float]:
        """Return step and start of the first (0) or second (1) neighbours, for Pillow to floor.

        They are off by half of the least distance to the next whole number, so that what Pillow
        loses in adding steps up makes no difference.
        """
        start = self.frame + neighbour - 0.5 + 1 / (4 * self.size)
        return self.length / self.size, start


def blend(corners: Sequence[Any], across: Any, down: Any) -> Any:
    """Blend four neighbours by their weights, in float32; NumPy's arrays or torch's tensors.

    The same products and sums in the same order, so that both, on any device, give the same bits.
    """
    upper_left, upper_right, lower_left, lower_right = corners
    upper = upper_left * (1 - across) + upper_right * across
    lower = lower_left * (1 - across) + lower_right * across
    return upper * (1 - down) + lower * down


@lru_cache
def _levels(levels: tuple[float, ...], device: torch.device) -> Tensor:
    return torch.tensor(levels, device=device).view(-1, 1, 1)
