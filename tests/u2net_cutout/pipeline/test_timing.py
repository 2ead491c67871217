import re
import time

import pytest

from u2net_cutout.pipeline.timing import StageTiming


def test_the_header_names_the_stages_in_their_order() -> None:
    timing = StageTiming()
    timing.add("decode", 7.42)
    timing.add("inference", 691.25)

    assert timing.header == "decode;dur=7.4, inference;dur=691.2"


def test_what_is_measured_takes_at_least_as_long_as_it_did() -> None:
    timing = StageTiming()

    with timing.measure("sleep"):
        time.sleep(0.02)

    assert timing.milliseconds["sleep"] >= 20


def test_a_stage_that_fails_is_measured_too() -> None:
    timing = StageTiming()

    with pytest.raises(ValueError, match="no"), timing.measure("decode"):
        raise ValueError("no")

    assert re.fullmatch(r"decode;dur=\d+\.\d", timing.header)


def test_what_is_measured_is_in_milliseconds_and_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([2.0, 2.25, 5.0, 5.5])
    monkeypatch.setattr("u2net_cutout.pipeline.timing.time.perf_counter", lambda: next(clock))
    timing = StageTiming()

    for _ in range(2):
        with timing.measure("decode"):
            pass

    assert timing.milliseconds == {"decode": 750}
