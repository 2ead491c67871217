"""From a picture to what the network eats, as the authors' own inference does it.

Source: ``u2net_test.py`` and ``data_loader.py`` (``RescaleT``, ``ToTensorLab``) of
github.com/xuebinqin/U-2-Net. Knows pictures and tensors; no request, no device, no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CHANNELS = 3


@dataclass(frozen=True)
class Rescale:
    """Squeeze an RGB picture into a square, whatever its aspect: -> (3, size, size) in [0, 255].

    Bilinear without anti-aliasing, pixel centres at halves, which is scikit-image's resize of 2020
    and ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``; an anti-aliased
    resize moves the masks twenty times further from those that the authors published. Each output
    pixel reads four input pixels; Pillow picks them, so that the picture itself is never copied.
    """

    size: int

    def __call__(self, picture: Image.Image) -> Tensor:
        """Rescale a picture of mode RGB; the result is float32."""
        frame = 0
        if min(picture.size) < self.size:  # some samples lie half a pixel beyond the edge
            frame = 1
            around = ((frame, frame), (frame, frame), (0, 0))
            picture = Image.fromarray(np.pad(np.asarray(picture), around, mode="edge"))
        grid = [Sampling(side - 2 * frame, self.size, frame) for side in picture.size]
        across, down = (axis.weights() for axis in grid)
        across, down = np.repeat(across, CHANNELS)[None], down[:, None]
        upper, lower = (
            _blend(_sample(picture, grid, (0, row)), _sample(picture, grid, (1, row)), across)
            for row in (0, 1)
        )
        rescaled = _blend(upper, lower, down).reshape(self.size, self.size, CHANNELS)
        return torch.from_numpy(rescaled).permute(2, 0, 1)


@dataclass(frozen=True)
class Normalize:
    """Shift and scale a (3, H, W) picture as in training: -> (3, H, W), about [-2.2, 2.7].

    The picture's own maximum, not 255, becomes 1 first. A black picture stays black.
    """

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __call__(self, pixels: Tensor) -> Tensor:
        """Normalize a picture of any non-negative range."""
        brightest = pixels.max()
        scaled = pixels / torch.where(brightest > 0, brightest, 1)
        mean = torch.tensor(self.mean).view(3, 1, 1)
        std = torch.tensor(self.std).view(3, 1, 1)
        return scaled.sub_(mean).div_(std)


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


def _sample(
    picture: Image.Image, grid: Sequence[Sampling], neighbours: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Pick one of each sample's four neighbours: (size, size * channels)."""
    (step_x, x), (step_y, y) = map(Sampling.stride, grid, neighbours)
    size = grid[0].size, grid[1].size
    picked = picture.transform(size, Image.Transform.AFFINE, (step_x, 0, x, 0, step_y, y))
    return np.asarray(picked).reshape(size[1], -1)


def _blend(
    first: npt.NDArray[Any], second: npt.NDArray[Any], weight: npt.NDArray[np.float32]
) -> npt.NDArray[Any]:
    return first * (1 - weight) + second * weight
