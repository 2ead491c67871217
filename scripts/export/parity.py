"""How far a network's masks are from those of plain float32, and how far they may be."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import mean

from scripts.common.errors import CommandError
from u2net_cutout.network.precision import Precision

PARITY_FILE = "parity.json"

# A figure's digits.
DIGITS = 6


@dataclass(frozen=True)
class Bound:
    """The most that masks may differ by, in alpha's range of 1."""

    mean: float
    """Mean absolute error, averaged over the pictures."""
    worst: float
    """Mean absolute error of any picture."""


BOUNDS = {
    Precision.FP32: Bound(mean=2e-5, worst=1e-4),
    Precision.BF16: Bound(mean=0.002, worst=0.01),
    Precision.FP16: Bound(mean=0.0005, worst=0.002),
    Precision.INT8: Bound(mean=0.002, worst=0.01),
}
# Of variants that are truer in a precision than others, by their names.
CLOSER_BOUNDS = {("isnet", Precision.BF16): Bound(mean=0.0005, worst=0.002)}


class ParityError(CommandError):
    """The masks are further from float32's than they may be."""


@dataclass(frozen=True)
class PictureParity:
    """One picture's mask against that of float32, both stretched to [0, 1]."""

    error: float
    """Mean absolute difference."""
    iou: float
    """Intersection over union of what is foreground at 0.5."""


@dataclass(frozen=True)
class Parity:
    """The pictures measured, by their names."""

    pictures: Mapping[str, PictureParity]

    @property
    def summary(self) -> dict[str, float]:
        """The figures over all pictures."""
        errors = [picture.error for picture in self.pictures.values()]
        ious = [picture.iou for picture in self.pictures.values()]
        return {
            "mean_error": round(mean(errors), DIGITS),
            "worst_error": max(errors),
            "mean_iou": round(mean(ious), DIGITS),
            "worst_iou": min(ious),
        }

    def to_json(self) -> str:
        """Return the text of ``parity.json``."""
        pictures = {name: asdict(picture) for name, picture in self.pictures.items()}
        return json.dumps({**self.summary, "pictures": pictures}, indent=2) + "\n"

    def __str__(self) -> str:
        """Return a line for each picture."""
        return "\n".join(
            f"  {name:<20} error {picture.error:.6f}  IoU {picture.iou:.4f}"
            for name, picture in self.pictures.items()
        )


def bound_of(variant: str, precision: Precision) -> Bound:
    """Return the bound of a variant, by its name, in a precision."""
    return CLOSER_BOUNDS.get((variant, precision), BOUNDS[precision])


def check_parity(summary: Mapping[str, float], variant: str, precision: Precision) -> None:
    """Make sure that a variant's masks are as true as promised; `summary` is a parity's.

    Raises:
        ParityError: they are not.
    """
    bound = bound_of(variant, precision)
    # Written so that what is not a number does not pass.
    if not (summary["mean_error"] <= bound.mean and summary["worst_error"] <= bound.worst):
        raise ParityError(
            f"{precision.value} masks differ from float32's by {summary['mean_error']:.4f} on "
            f"average and {summary['worst_error']:.4f} at worst; the bounds are {bound.mean} and "
            f"{bound.worst}"
        )
