"""How far served masks are from those of float32."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench_client import ask
from bench_pictures import Picture
from product_server import Product


@dataclass(frozen=True)
class MaskError:
    """Mean absolute error, alpha in [0, 1], and intersection over union at 0.5, by picture."""

    errors: dict[str, float]
    overlaps: dict[str, float]

    @property
    def mean(self) -> float:
        """Of the pictures' errors."""
        return float(np.mean(list(self.errors.values())))

    @property
    def worst(self) -> float:
        """The largest of the pictures' errors."""
        return max(self.errors.values())


Alphas = dict[str, bytes]


def served_alphas(server: Product, pictures: list[Picture]) -> Alphas:
    """Return each picture's alpha, a byte a pixel.

    Raises:
        BenchError: the server does not answer.
    """
    options = {"channels": "alpha", "format": "rgba", "edges": "plain"}
    return {
        picture.name: ask(server.form(Path(picture.path), options)).content for picture in pictures
    }


def compare_masks(exact: Alphas, found: Alphas) -> MaskError:
    """Hold masks against those of the same pictures in float32."""
    errors, overlaps = {}, {}
    for name in exact:
        true = np.frombuffer(exact[name], np.uint8)
        seen = np.frombuffer(found[name], np.uint8)
        errors[name] = float(np.mean(np.abs(true.astype(float) - seen)) / 255)
        either = np.count_nonzero((true > 127) | (seen > 127))
        both = np.count_nonzero((true > 127) & (seen > 127))
        overlaps[name] = both / either if either else 1.0
    return MaskError(errors, overlaps)
