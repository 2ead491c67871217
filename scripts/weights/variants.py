"""The variant that a user names. Needs no torch: ``make`` asks before anything is installed."""

from scripts.weights.record import WeightsError
from u2net_cutout.network.variant import VARIANTS, Variant


def variant_named(model: str) -> Variant:
    """Return a variant by its name.

    Raises:
        WeightsError: there is none of that name.
    """
    if model not in VARIANTS:
        raise WeightsError(f"MODEL={model}: choose {', '.join(VARIANTS)}")
    return VARIANTS[model]
