"""The network's input, as the archive's extra file; the package has it where the wheel takes it."""

from u2net_cutout.network.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    INPUT_SIZE,
    Normalize,
    Rescale,
)

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "INPUT_SIZE", "Normalize", "Rescale"]
