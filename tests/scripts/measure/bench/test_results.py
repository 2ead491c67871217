from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.measure.bench.cases import REMBG, THROUGHPUT, Turn
from scripts.measure.bench.mask_error import MaskError
from scripts.measure.bench.measurement import Measurement
from scripts.measure.bench.results import Results
from scripts.measure.bench.stage_costs import StageCosts
from scripts.measure.kit.photos import Picture
from tests.scripts.measure.bench.samples import measured, results_of

REMBG_TURN, INT8 = Turn(REMBG), Turn("int8")


def test_a_ratio_is_of_one_and_the_same_round() -> None:
    results = results_of(
        measured(THROUGHPUT, REMBG_TURN, [1, 2, 4]), measured(THROUGHPUT, INT8, [4, 6, 20])
    )

    ratios = results.ratios(THROUGHPUT.name, INT8.label, REMBG, lambda m: m.rate)

    assert ratios is not None
    assert ratios.values == (4, 3, 5)
    assert str(ratios) == "4.00 (3.00 to 5.00)"


def test_a_round_without_its_pair_has_no_ratio() -> None:
    results = results_of(measured(THROUGHPUT, INT8, [4]))

    assert results.ratios(THROUGHPUT.name, INT8.label, REMBG, lambda m: m.rate) is None


@pytest.mark.parametrize("figure", [lambda m: m.rate, lambda m: 1 / m.p50])
def test_a_round_without_a_good_answer_has_no_ratio(figure: Callable[[Measurement], float]) -> None:
    results = results_of(
        measured(THROUGHPUT, REMBG_TURN, [1, 0, 2, 4]), measured(THROUGHPUT, INT8, [4, 6, 0, 20])
    )

    ratios = results.ratios(THROUGHPUT.name, INT8.label, REMBG, figure)

    assert ratios is not None
    assert ratios.values == pytest.approx((4, 5))
    assert ratios.errors == 20


def test_without_any_good_answer_that_is_told() -> None:
    results = results_of(measured(THROUGHPUT, REMBG_TURN, [0]), measured(THROUGHPUT, INT8, [4]))

    ratios = results.ratios(THROUGHPUT.name, INT8.label, REMBG, lambda m: m.rate)

    assert str(ratios) == "no good responses"


def test_without_a_peak_there_is_no_share_of_it() -> None:
    results = results_of(measured(THROUGHPUT, Turn("int8", "rgba"), [6]))
    results.peaks = {}

    assert results.peak_share(THROUGHPUT.name, "int8, rgba", "int8") is None


def test_the_share_of_the_peak_is_of_the_precisions_own() -> None:
    results = results_of(measured(THROUGHPUT, Turn("int8", "rgba"), [6]))

    share = results.peak_share(THROUGHPUT.name, "int8, rgba", "int8")

    assert share is not None
    assert share.median == pytest.approx(0.6)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = results_of(measured(THROUGHPUT, INT8, [4, 5]))
    results.pictures.append(Picture("1.5", "1.5.jpg", 3, 2, 99, "somebody"))
    results.stages.append(StageCosts("int8, png", {"inference": 1.0}, 2.0))
    results.masks["u2net int8"] = MaskError({"a": 0.1}, {"a": 0.9})

    results.write(tmp_path / "folder" / "results.json")

    assert Results.read(tmp_path / "folder" / "results.json") == results
