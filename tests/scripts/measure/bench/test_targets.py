import pytest

from scripts.measure.bench.cases import QUICK, REMBG, THROUGHPUT, Turn
from scripts.measure.bench.stage_costs import StageCosts
from scripts.measure.bench.targets import FAILED, NOT_MEASURED, TARGETS, Target
from tests.scripts.measure.bench.samples import measured, results_of

INT8 = TARGETS[0]
MEMORY = next(target for target in TARGETS if "memory" in target.figure)
OUTSIDE = next(target for target in TARGETS if "outside" in target.figure)


@pytest.mark.parametrize(
    ("rate", "word"), [(4.2, "missed"), (4.3, "reached"), (5.0, "stretch reached")]
)
def test_a_ratio_is_judged_by_its_median(rate: float, word: str) -> None:
    results = results_of(
        measured(THROUGHPUT, Turn(REMBG), [1, 1, 1]),
        measured(THROUGHPUT, Turn("int8"), [1, rate, 9]),
    )

    assert INT8.result(results) == (f"{rate:.2f} (1.00 to 9.00)", word)


@pytest.mark.parametrize("rates", [[0, 9], [0, 0]])
@pytest.mark.parametrize("failing", [REMBG, "int8"])
def test_with_errors_nothing_is_reached(failing: str, rates: list[float]) -> None:
    results = results_of(
        *(
            measured(THROUGHPUT, Turn(name), rates if name == failing else [1, 9])
            for name in (REMBG, "int8")
        )
    )

    shown, word = INT8.result(results)

    assert word == FAILED
    assert f"{10 * rates.count(0)} errors" in shown


@pytest.mark.parametrize(("pss", "word"), [(0.7, "missed"), (0.6, "reached"), (0.3, "stretch")])
def test_less_is_better_of_memory(pss: float, word: str) -> None:
    results = results_of(
        measured(THROUGHPUT, Turn(REMBG), [1], pss_bytes=1e9),
        measured(THROUGHPUT, Turn("int8"), [1], pss_bytes=pss * 1e9),
    )

    assert MEMORY.result(results)[1].startswith(word)


def test_what_is_outside_the_network_is_int8s() -> None:
    results = results_of()
    results.stages = [
        StageCosts("fp32, png", {"inference": 100}, 500),
        StageCosts("int8, png", {"inference": 90}, 100),
    ]

    assert OUTSIDE.result(results) == ("0.1", "stretch reached")


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.figure)
def test_what_was_not_measured_is_neither_reached_nor_missed(target: Target) -> None:
    assert target.result(results_of()) == (NOT_MEASURED, "")


def test_the_quick_run_measures_every_target_of_a_case() -> None:
    results = results_of(
        *(measured(case, turn, [1.0]) for case in QUICK for turn in case.turns),
    )

    missing = [t.figure for t in TARGETS if t.result(results)[0] == NOT_MEASURED]

    # Those come from the steps between the cases.
    assert all(any(word in what for word in ("outside", "mean error", "READY")) for what in missing)
