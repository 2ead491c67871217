"""The errors of served masks against those of float32."""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from scripts.export import write as network_export
from scripts.measure.kit.our_server import Product
from scripts.measure.kit.photos import Picture
from scripts.measure.kit.request import send


@dataclass(frozen=True)
class MaskError:
    """Mean absolute error, alpha in [0, 1], and intersection over union at 0.5, by picture."""

    errors: dict[str, float]
    overlaps: dict[str, float]

    @property
    def mean(self) -> float:
        """Of the pictures' errors."""
        return mean(self.errors.values())

    @property
    def worst(self) -> float:
        """The largest of the pictures' errors."""
        return max(self.errors.values())


Alphas = dict[str, bytes]


def served_alphas(server: Product, pictures: list[Picture]) -> Alphas:
    """Return each picture's alpha, a byte a pixel.

    Raises:
        BenchError: the server does not respond with 200.
    """
    options = {"channels": "alpha", "format": "rgba", "edges": "plain"}
    return {
        picture.name: send(server.form(Path(picture.path), options)).content for picture in pictures
    }


def compare_masks(exact: Alphas, found: Alphas) -> MaskError:
    """Compare masks with those of the same pictures in float32."""
    compared = {
        name: network_export.compare_masks(_mask(found[name]), _mask(exact[name])) for name in exact
    }
    return MaskError(
        {name: picture.error for name, picture in compared.items()},
        {name: picture.iou for name, picture in compared.items()},
    )


def _mask(alpha: bytes) -> Tensor:
    return torch.frombuffer(bytearray(alpha), dtype=torch.uint8) / 255
