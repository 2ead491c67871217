from pathlib import Path

from PIL import Image

from scripts.measure.soak.client import Outcome
from scripts.measure.soak.plot import write_plot
from scripts.measure.soak.record import MOST_PROBLEMS, Record
from tests.scripts.measure.soak.samples import soaked


def test_a_window_counts_its_responses_and_has_percentiles_of_the_good_ones() -> None:
    record = Record("2030-01-01", {}, 4, 2)
    refused = Outcome("text", 1, 9, 415)

    record.add_outcomes(0, [*(Outcome("png", 1, s, 200) for s in (0.3, 0.1, 0.2)), refused])

    (window,) = record.windows
    assert window.statuses == {"200": 3, "415": 1}
    assert window.milliseconds == {"p50": 200, "p95": 300, "p99": 300}
    assert (record.sent, record.requests) == ({"png": 3, "text": 1}, 4)


def test_problems_are_counted_also_where_there_are_too_many_to_keep() -> None:
    record = Record("2030-01-01", {}, 4, 1)

    record.add_outcomes(0, [Outcome("png", 1, 1, 500, "500 instead of 200")] * 150)

    assert (record.problem_count, len(record.problems)) == (150, MOST_PROBLEMS)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = soaked()
    record.rollouts.append((10.0, 20.0))

    record.write(tmp_path / "soak.json")

    assert Record.read(tmp_path / "soak.json") == record


def test_its_plot_is_a_picture(tmp_path: Path) -> None:
    write_plot(soaked(), tmp_path / "docs" / "soak.png")

    with Image.open(tmp_path / "docs" / "soak.png") as plot:
        assert plot.width > 500
        assert len(plot.convert("RGB").getcolors(1 << 20) or []) > 10
