import math

import pytest

from scripts.measure.kit.percentiles import percentile


@pytest.mark.parametrize(
    ("share", "value"), [(0, 1), (0.5, 2), (0.51, 3), (0.75, 3), (0.99, 4), (1, 4)]
)
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([1, 2, 3, 4], share) == value


def test_no_values_have_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))
