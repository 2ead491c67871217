"""From a picture to what the network eats, as the authors' own inference does it.

Source: ``u2net_test.py`` and ``data_loader.py`` (``RescaleT``, ``ToTensorLab``) of
github.com/xuebinqin/U-2-Net. Knows pictures and tensors; no request, no device, no file.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Rescale:
    """Squeeze an RGB picture into a square, whatever its aspect: -> (3, size, size) in [0, 255].

    Bilinear without anti-aliasing, pixel centres at halves, which is scikit-image's resize of 2020
    and ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``; an anti-aliased
    resize moves the masks twenty times further from those that the authors published. Each output
    pixel reads four input pixels, so only those are ever turned into floats.
    """

    size: int

    def __call__(self, picture: Image.Image) -> Tensor:
        """Rescale a picture of mode RGB; the result is float32."""
        pixels = np.asarray(picture)
        top, bottom, down = _neighbours(pixels.shape[0], self.size)
        left, right, across = _neighbours(pixels.shape[1], self.size)
        down, across = down[:, None, None], across[None, :, None]
        upper = _blend(pixels[top[:, None], left], pixels[top[:, None], right], across)
        lower = _blend(pixels[bottom[:, None], left], pixels[bottom[:, None], right], across)
        return torch.from_numpy(_blend(upper, lower, down)).permute(2, 0, 1)


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
        return (scaled - mean) / std


def _neighbours(
    length: int, size: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Return, for `size` samples along `length` pixels, the two nearest and the second's weight."""
    position = np.clip((np.arange(size) + 0.5) * (length / size) - 0.5, 0, length - 1)
    first = position.astype(np.intp)
    second = np.minimum(first + 1, length - 1)
    return first, second, (position - first).astype(np.float32)


def _blend(
    first: npt.NDArray[Any], second: npt.NDArray[Any], weight: npt.NDArray[np.float32]
) -> npt.NDArray[Any]:
    return first * (1 - weight) + second * weight
