"""The metrics of a batch, as ``scripts/torchserve/metrics.yaml`` names them.

TorchServe gives every histogram the same buckets, 0.005 to 10, so each figure has the unit in which
those resolve most: seconds, megapixels, megabytes (a million bytes), gigabytes. Labels hold our own
words only, so no client can add one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from u2net_cutout.worker.request_log import RequestReport


class Kind(Enum):
    """The kind of a metric; the values are TorchServe's."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Measurement:
    """One figure of one metric."""

    name: str
    value: float
    unit: str
    """As TorchServe knows units: ``s``, ``MB``, ``GB``, ``count``; or a unit of our own."""
    kind: Kind = Kind.HISTOGRAM
    row: int | None = None
    """The request of the batch that it belongs to; None: all of them."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """In the order of ``scripts/torchserve/metrics.yaml``."""


def batch_measurements(
    reports: Sequence[RequestReport], seconds: float, memory_bytes: int, version: str
) -> Iterator[Measurement]:
    """Yield the figures of a batch, which took `seconds`, and of each of its requests."""
    served = {"ModelVersion": version}
    yield Measurement("HandlerTime", round(seconds * 1000, 2), "ms", Kind.GAUGE)
    yield Measurement("cutout_handler_seconds", seconds, "s", labels=served)
    yield Measurement("cutout_batch_requests", len(reports), "count", labels=served)
    yield Measurement("cutout_worker_gigabytes", memory_bytes / 1e9, "GB", labels=served)
    for row, report in enumerate(reports):
        yield from _request_measurements(report, row, served)


def _request_measurements(
    report: RequestReport, row: int, served: Mapping[str, str]
) -> Iterator[Measurement]:
    labels_of_response = {
        "Status": str(report.status),
        "Code": report.code,
        "ContentType": report.content_type,
        "Format": report.output_format,
        **served,
    }
    yield Measurement("cutout_answers_total", 1, "count", Kind.COUNTER, row, labels_of_response)
    for stage, spent in report.milliseconds.items():
        labels = {"Stage": stage, **served}
        yield Measurement("cutout_stage_seconds", spent / 1000, "s", row=row, labels=labels)
    for direction, size in (("in", report.bytes_in), ("out", report.bytes_out)):
        labels = {"Direction": direction, **served}
        yield Measurement("cutout_megabytes", size / 1e6, "MB", row=row, labels=labels)
    if report.size is not None:
        width, height = report.size
        labels = {"PhotoFormat": report.photo_format, **served}
        megapixels = width * height / 1e6
        yield Measurement("cutout_megapixels", megapixels, "MP", row=row, labels=labels)
