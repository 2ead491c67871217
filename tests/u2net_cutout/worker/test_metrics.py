import pytest
import yaml

from tests.handler.torchserve_worker import METRICS
from u2net_cutout.worker.metrics import Measurement, batch_measurements
from u2net_cutout.worker.request_log import RequestReport

CONFIGURED = yaml.safe_load(METRICS.read_text(encoding="utf-8"))["model_metrics"]
# TorchServe adds these at the end by itself.
ADDED = ["ModelName", "Level"]

GOOD = RequestReport(
    *("id-0", 2_000_000, "JPEG", (4000, 3000), 200, "ok", "image/png", "png", 500_000),
    {"decode": 12.0, "inference": 100.0},
)
BAD = RequestReport(
    *("id-1", 0, "none", None, 400, "missing_source", "application/json", "none", 120), {}
)


@pytest.fixture
def told() -> list[Measurement]:
    return list(batch_measurements([GOOD, BAD], 0.25, 1_500_000_000, "1.0"))


def test_each_figure_is_configured_with_its_kind_unit_and_labels_in_order(
    told: list[Measurement],
) -> None:
    configured = {
        metric["name"]: (kind, metric["unit"].lower(), metric["dimensions"])
        for kind, metrics in CONFIGURED.items()
        for metric in metrics
    }
    for figure in told:
        labels = [*figure.labels, *ADDED]
        assert configured[figure.name] == (figure.kind.value, figure.unit.lower(), labels)


def test_each_configured_metric_of_ours_is_told(told: list[Measurement]) -> None:
    configured = {metric["name"] for metrics in CONFIGURED.values() for metric in metrics}

    # That one is TorchServe's, around the handler.
    assert configured - {figure.name for figure in told} == {"PredictionTime"}


def test_figures_of_one_request_are_told_as_such(told: list[Measurement]) -> None:
    def of(row: int | None) -> set[str]:
        return {figure.name.removeprefix("cutout_") for figure in told if figure.row == row}

    assert of(None) == {"HandlerTime", "handler_seconds", "batch_requests", "worker_gigabytes"}
    assert of(0) == {"answers_total", "stage_seconds", "megabytes", "megapixels"}
    assert of(1) == {"answers_total", "megabytes"}


def test_values_are_in_their_units(told: list[Measurement]) -> None:
    values = {
        (figure.name, *figure.labels.values()): figure.value for figure in told if figure.row != 1
    }

    assert values == {
        ("HandlerTime",): 250,
        ("cutout_handler_seconds", "1.0"): 0.25,
        ("cutout_batch_requests", "1.0"): 2,
        ("cutout_worker_gigabytes", "1.0"): 1.5,
        ("cutout_answers_total", "200", "ok", "image/png", "png", "1.0"): 1,
        ("cutout_stage_seconds", "decode", "1.0"): 0.012,
        ("cutout_stage_seconds", "inference", "1.0"): 0.1,
        ("cutout_megabytes", "in", "1.0"): 2,
        ("cutout_megabytes", "out", "1.0"): 0.5,
        ("cutout_megapixels", "JPEG", "1.0"): 12,
    }
