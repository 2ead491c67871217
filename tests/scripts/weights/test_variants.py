import pytest

from scripts.weights.record import WeightsError
from scripts.weights.variants import variant_named


def test_a_variant_is_known_by_its_name() -> None:
    assert variant_named("isnet").size == 1024


def test_an_unknown_name_is_told_with_those_that_there_are() -> None:
    with pytest.raises(WeightsError, match="MODEL=u3net: choose u2net, u2net_human_seg, u2netp, "):
        variant_named("u3net")
