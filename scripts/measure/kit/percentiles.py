"""Percentiles of measured values."""

import math
from collections.abc import Sequence


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value within which a share of `ordered`, ascending, lies; NaN of none.

    By nearest rank: always one of the values. `share` is in [0, 1].
    """
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1] if ordered else math.nan
