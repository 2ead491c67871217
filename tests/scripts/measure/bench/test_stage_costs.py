import pytest

from scripts.measure.bench.stage_costs import StageCosts, parse_stages
from u2net_cutout.pipeline.timing import StageTiming


def test_the_stages_that_the_handler_writes_are_read() -> None:
    timing = StageTiming()
    timing.add("decode", 7.4)
    timing.add("inference", 691.2)

    assert parse_stages(timing.header) == {"decode": 7.4, "inference": 691.2}


def test_what_is_not_the_network_is_outside() -> None:
    costs = StageCosts("int8, png", {"decode": 10, "inference": 300}, 400)

    assert costs.outside_share == pytest.approx(0.25)
