from pathlib import Path

from scripts.measure.bench.cases import LATENCY_CASE, MATRIX, REMBG, THROUGHPUT, Turn
from scripts.measure.bench.mask_error import MaskError
from scripts.measure.bench.plots import write_plots
from scripts.measure.bench.report import write_report
from scripts.measure.bench.results import Results
from scripts.measure.bench.stage_costs import StageCosts
from scripts.measure.bench.tables import case_table, photo_table, table, target_table
from scripts.measure.bench.targets import TARGETS
from scripts.measure.kit.photos import Picture
from tests.scripts.measure.bench.samples import measured, results_of

RESULTS = results_of(
    measured(THROUGHPUT, Turn(REMBG), [1, 2]),
    measured(THROUGHPUT, Turn("int8"), [5, 8], pss_bytes=2e9),
    measured(THROUGHPUT, Turn("int8", "rgba"), [6, 8]),
)
RESULTS.stages.append(StageCosts("int8, png", {"decode": 5.0, "inference": 80.0}, 100))
RESULTS.masks["u2net int8"] = MaskError({"a": 0.001}, {"a": 0.9})


def test_a_table_is_markdown() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_each_contender_has_its_row_with_its_ratio_to_the_first() -> None:
    rows = case_table(RESULTS, THROUGHPUT.name).splitlines()

    assert rows[0] == (
        "MP: 1.5, clients: 4, errors: 0, rounds: 2, responses per server: 20 to 20, others: 0.01."
    )
    assert rows[4].startswith("| rembg | 1.50 (1.00 to 2.00) | 1 |")
    assert rows[5].startswith("| int8, png | 6.50 (5.00 to 8.00) | 4.50 (4.00 to 5.00) |")
    assert rows[5].endswith("| 1.50 | 0.40 | 2.00 |")


def test_columns_that_differ_between_the_rows_are_in_the_table() -> None:
    few, more, _ = MATRIX[:3]
    results = results_of(
        measured(few, Turn(REMBG), [2]),
        measured(more, Turn(REMBG), [3]),
        measured(more, Turn("int8"), [0]),
    )

    rows = case_table(results, few.name, more.name).splitlines()

    assert rows[0].startswith("MP: 0.4, rounds: 1, responses per server: 0 to 10")
    assert [row.split(" | ")[1:4] for row in rows[2:] if "---" not in row] == [
        ["clients", "requests/s", "times rembg"],
        ["1", "2.00", "1"],
        ["4", "3.00", "1"],
        ["4", "0.00", "no good responses"],
    ]
    assert [row.split(" | ")[-1] for row in rows[4:]] == ["0 |", "0 |", "10 |"]


def test_every_target_is_reported() -> None:
    text = target_table(RESULTS)

    assert [target.figure for target in TARGETS if target.figure not in text] == []
    assert "| times rembg's rate: int8 | at least 4.3 | 5 | 4.50 (4.00 to 5.00) | reached |" in text
    assert "Not measured: times rembg's rate: int8, default edges; " in text


def test_photos_are_credited_once_for_each_author() -> None:
    results = results_of()
    results.mask_pictures = [
        Picture(name, "", 1, 1, 1, credit)
        for name, credit in (("a", "a.jpg, A, CC0"), ("b", "b.jpg, A, CC0"), ("c", "c.jpg"))
    ]

    assert photo_table(results).endswith("\nPhotos of the masks: a.jpg, b.jpg, A, CC0; c.jpg.")


def test_the_report_holds_every_part_and_links_its_plots(tmp_path: Path) -> None:
    plots = write_plots(RESULTS, tmp_path / "docs")

    write_report(RESULTS, tmp_path / "BENCHMARKS.md", plots, quick=True)

    text = (tmp_path / "BENCHMARKS.md").read_text(encoding="utf-8")
    assert "make bench QUICK=1" in text
    assert "![throughput](docs/throughput.png)" in text
    assert "- **peak, GOP/s**: int8 0, bf16 0, fp32 0" in text
    assert (
        "| share of the peak: int8 | at least 0.72 | 0.8 | 0.70 (0.60 to 0.80) | missed |" in text
    )
    assert "| int8, png | 5.0 | 80.0 | 100 | 0.20 |" in text
    assert "| u2net int8 | 0.00100 | 0.00100 | 0.900 |" in text


def test_a_turn_without_a_good_answer_does_not_cost_the_report(tmp_path: Path) -> None:
    sizes = [case for case in MATRIX if case.concurrency == 4]
    turns = [
        measured(case, turn, rates)
        for case in (THROUGHPUT, *sizes)
        for turn, rates in ((Turn(REMBG), [0.0, 0]), (Turn("int8"), [0.0, 5]))
    ]
    raw = tmp_path / "raw.json"
    results_of(*turns, measured(LATENCY_CASE, Turn(REMBG), [0])).write(raw)
    results = Results.read(raw)

    plots = write_plots(results, tmp_path)
    write_report(results, tmp_path / "BENCHMARKS.md", plots, quick=False)

    assert [plot.name for plot in plots] == ["throughput.png", "sizes.png"]
    assert "no good responses, 30 errors | failed |" in (tmp_path / "BENCHMARKS.md").read_text()


def test_plots_are_small_pictures(tmp_path: Path) -> None:
    (plot,) = write_plots(RESULTS, tmp_path)

    assert plot.read_bytes().startswith(b"\x89PNG")
    assert plot.stat().st_size < 50_000
