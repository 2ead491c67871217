import json
import math

import pytest

from scripts.export.parity import (
    CLOSER_BOUNDS,
    Parity,
    ParityError,
    PictureParity,
    bound_of,
    check_parity,
)
from tests.conftest import ROOT
from u2net_cutout.network.precision import Precision

# Each precision of the default model, and those of others that have bounds of their own.
BOUNDED = [*(("u2net", precision) for precision in Precision), *CLOSER_BOUNDS]
PARITY = Parity({"a.jpg": PictureParity(0.001, 0.99), "b.jpg": PictureParity(0.002, 0.98)})


@pytest.mark.parametrize(("variant", "precision"), BOUNDED)
def test_the_documents_tell_each_bound(variant: str, precision: Precision) -> None:
    label = f"`{precision.value}`" + (
        f", {variant}" if (variant, precision) in CLOSER_BOUNDS else ""
    )
    rows = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8").splitlines()
    (row,) = (row for row in rows if row.startswith(f"| {label} |"))

    mean, worst = (float(figure) for figure in row.split("|")[-2].split(","))
    bound = bound_of(variant, precision)
    assert (mean, worst) == (bound.mean, bound.worst)


def test_the_summary_is_of_all_pictures() -> None:
    assert PARITY.summary == {
        "mean_error": 0.0015,
        "worst_error": 0.002,
        "mean_iou": 0.985,
        "worst_iou": 0.98,
    }


def test_the_report_has_each_picture_and_the_summary() -> None:
    report = json.loads(PARITY.to_json())

    assert report["pictures"]["b.jpg"] == {"error": 0.002, "iou": 0.98}
    assert {name: report[name] for name in PARITY.summary} == PARITY.summary


def test_a_line_tells_of_each_picture() -> None:
    assert [line.split()[0] for line in str(PARITY).splitlines()] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("name", ["mean_error", "worst_error"])
def test_what_is_no_number_does_not_pass(name: str) -> None:
    summary = {"mean_error": 0.0, "worst_error": 0.0, name: math.nan}

    with pytest.raises(ParityError):
        check_parity(summary, "u2net", Precision.BF16)


@pytest.mark.parametrize(("variant", "precision"), BOUNDED)
def test_what_is_within_its_bound_passes_and_what_is_not_does_not(
    variant: str, precision: Precision
) -> None:
    bound = bound_of(variant, precision)
    within = {"mean_error": bound.mean, "worst_error": bound.worst}

    check_parity(within, variant, precision)
    for name in within:
        with pytest.raises(ParityError, match=rf"{precision.value} masks differ"):
            check_parity({**within, name: within[name] * 1.01}, variant, precision)
