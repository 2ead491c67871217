"""Where the network is unsure. Knows saliency maps and pictures; no request, no server."""

import math

import torch
from PIL import Image, ImageOps
from torch import Tensor

# How much of the grey picture shines through where the network is sure.
BACKDROP_BRIGHTNESS = 0.35


def binary_entropy(maps: Tensor) -> Tensor:
    """Return how undecided the network's maps are about each pixel: (M, H, W) -> (H, W) in bits.

    The entropy of the mean map. 0: all maps agree and are sure. 1: a coin toss, because the maps
    contradict each other or because each of them hesitates. It measures the network's hesitation,
    not the probability of an error.
    """
    mean = maps.mean(dim=0)
    nats = -(torch.xlogy(mean, mean) + torch.xlogy(1 - mean, 1 - mean))
    return nats / math.log(2)


def mean_uncertainty(maps: Tensor) -> float:
    """Return the mean entropy of (M, H, W) maps, in bits a pixel: one figure for a picture."""
    return float(binary_entropy(maps).mean())


def heat_map(picture: Image.Image, maps: Tensor) -> Image.Image:
    """Paint the entropy of (M, H, W) maps over the dimmed grey picture: mode RGB, its size.

    Black through red and orange to white is 0 to 1 bit.
    """
    bits = (binary_entropy(maps).clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    heat = Image.fromarray(bits).resize(picture.size, Image.Resampling.BILINEAR)
    backdrop = picture.convert("L").point(lambda level: level * BACKDROP_BRIGHTNESS)
    painted = ImageOps.colorize(heat, black="black", mid="#ff5000", white="white")
    return Image.composite(painted, backdrop.convert("RGB"), heat)
