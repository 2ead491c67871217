"""What a running server tells of known traffic: its metrics port and its log of requests."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import pytest
import requests
import yaml
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from scripts.common.http import local_session
from scripts.torchserve.config import METRICS_CONFIG
from tests.served.conftest import Served
from tests.u2net_cutout.contract.test_errors import ERRORS
from u2net_cutout.contract.formats import OutputFormat

# TorchServe's, whatever they count.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, float("inf"))
STAGES = ("decode", "preprocess", "inference", "postprocess", "encode")
MODEL = {"ModelVersion": "1.0", "ModelName": "u2netp", "Level": "Model"}
SECRET = "my-holiday.jpg"
FORGED = "\n[PID]76543210987"
REQUEST_KEYS = [
    *("event", "time", "id", "model", "version", "batch", "status", "code"),
    *("bytes_in", "photo", "width", "height", "format", "type", "bytes_out", "ms"),
]

Sample = tuple[str, frozenset[tuple[str, str]]]


def scraped(served: Served) -> dict[Sample, float]:
    """Return every figure of the metrics port by name and labels, but for the host's name."""
    text = local_session().get(f"{served.config.metrics_address}/metrics", timeout=10).text
    return {
        (sample.name, key({k: v for k, v in sample.labels.items() if k.lower() != "hostname"})): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


@dataclass(frozen=True)
class Traffic:
    """Two requests, what they got, and by how much each figure grew meanwhile."""

    sent: int
    answer: requests.Response
    refusal: requests.Response
    grown: dict[Sample, float]
    lines: list[str]

    def growth(self, name: str, **labels: str) -> float:
        return self.grown[name, key({**labels, **MODEL})]


@pytest.fixture(scope="module")
def traffic(served: Served) -> Traffic:
    buffer = BytesIO()
    Image.linear_gradient("L").resize((250, 160)).convert("RGB").save(buffer, "JPEG")
    picture = buffer.getvalue()
    log = served.config.logs / "request_log.log"
    written = len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0
    time.sleep(0.5)  # the last request of other tests is counted after its response
    before = scraped(served)

    answer = served.ask(files={"image_file": (SECRET, picture)}, data={"format": "webp"})
    refusal = served.ask(
        files={"image_file": (SECRET, picture)}, data={SECRET: "\n[PID]99999999999"}
    )

    last = ("cutout_megabytes_count", key({"Direction": "out", **MODEL}))
    for _ in range(200):
        after = scraped(served)
        lines = log.read_text(encoding="utf-8").splitlines()[written:]
        if after.get(last, 0) >= before.get(last, 0) + 2 and len(lines) >= 2:
            break
        time.sleep(0.05)
    grown = {sample: value - before.get(sample, 0) for sample, value in after.items()}
    return Traffic(len(picture), answer, refusal, grown, lines)


def test_each_answer_is_counted_by_what_it_is(traffic: Traffic) -> None:
    assert (traffic.answer.status_code, traffic.refusal.status_code) == (200, 400)
    ok = {"Status": "200", "Code": "ok", "ContentType": "image/webp", "Format": "webp"}
    refused = {
        "Status": "400",
        "Code": "unknown_parameter",
        "ContentType": "application/json",
        "Format": "none",
    }
    assert traffic.growth("cutout_answers_total", **ok) == 1
    assert traffic.growth("cutout_answers_total", **refused) == 1


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_is_timed_once(traffic: Traffic, stage: str) -> None:
    told = dict(p.split(";dur=") for p in traffic.answer.headers["Server-Timing"].split(", "))

    assert traffic.growth("cutout_stage_seconds_count", Stage=stage) == 1
    spent = traffic.growth("cutout_stage_seconds_sum", Stage=stage)
    assert spent * 1000 == pytest.approx(float(told[stage]), abs=0.051)


def test_what_came_in_and_went_out_is_summed_up(traffic: Traffic) -> None:
    fields = len("webp") + len(FORGED)
    came = traffic.growth("cutout_megabytes_sum", Direction="in")
    went = traffic.growth("cutout_megabytes_sum", Direction="out")

    assert came * 1e6 == pytest.approx(2 * traffic.sent + fields)
    assert went * 1e6 == pytest.approx(len(traffic.answer.content) + len(traffic.refusal.content))


def test_only_the_photo_that_was_read_has_pixels(traffic: Traffic) -> None:
    assert traffic.growth("cutout_megapixels_count", PhotoFormat="JPEG") == 1
    assert traffic.growth("cutout_megapixels_sum", PhotoFormat="JPEG") == pytest.approx(0.04)


def test_each_batch_tells_its_size_its_time_and_the_workers_memory(traffic: Traffic) -> None:
    for name in ("cutout_batch_requests", "cutout_handler_seconds", "cutout_worker_gigabytes"):
        assert traffic.growth(f"{name}_count") == 2
    assert traffic.growth("cutout_batch_requests_sum") == 2
    assert traffic.growth("cutout_handler_seconds_sum") > 0
    assert 0.1 < traffic.growth("cutout_worker_gigabytes_sum") / 2 < 4


def test_torchserve_tells_how_long_requests_waited(traffic: Traffic) -> None:
    waited = [
        value
        for (name, labels), value in traffic.grown.items()
        if name.startswith("ts_queue_latency_microseconds") and ("model_name", "u2netp") in labels
    ]
    assert max(waited) > 0


def test_every_histogram_has_the_buckets_that_its_unit_was_chosen_for(
    served: Served, traffic: Traffic
) -> None:
    named = yaml.safe_load(METRICS_CONFIG.read_text(encoding="utf-8"))["model_metrics"]
    for metric in named["histogram"]:
        found = {
            float(dict(labels)["le"])
            for name, labels in traffic.grown
            if name == f"{metric['name']}_bucket"
        }
        assert found == set(BUCKETS), metric["name"]


def test_no_label_has_a_value_that_is_not_ours(traffic: Traffic) -> None:
    codes = "|".join(re.escape(error.code) for error in ERRORS if "invalid" not in error.code)
    formats = "|".join(output_format.value for output_format in OutputFormat)
    known = {
        "Status": r"200|4\d\d|500",
        "Code": rf"ok|invalid_[a-z_0-9]+|{codes}",
        "ContentType": r"application/(json|octet-stream|zip)|image/(png|webp|jpeg)",
        "Format": f"none|{formats}",
        "PhotoFormat": "JPEG|MPO|PNG|WEBP|AVIF|TIFF|BMP|GIF|HEIF|none",
        "Stage": "|".join(STAGES),
        "Direction": "in|out",
        "ModelName": "u2netp?",
        "ModelVersion": r"[\d.]+",
        "Level": "Model",
        "le": r"[\d.]+|\+Inf",
    }
    for name, labels in traffic.grown:
        if name.startswith("cutout_"):
            for label, value in labels:
                assert re.fullmatch(known[label], value), (name, label, value)


def test_each_request_is_a_line_of_json(traffic: Traffic) -> None:
    ok, refused = map(json.loads, traffic.lines)

    assert list(ok) == list(refused) == REQUEST_KEYS
    assert [ok["id"], refused["id"]] == [
        reply.headers["x-request-id"] for reply in (traffic.answer, traffic.refusal)
    ]
    assert {name: ok[name] for name in REQUEST_KEYS[3:-1]} == {
        "model": "u2netp",
        "version": "1.0",
        "batch": 1,
        "status": 200,
        "code": "ok",
        "bytes_in": traffic.sent + len("webp"),
        "photo": "JPEG",
        "width": 250,
        "height": 160,
        "format": "webp",
        "type": "image/webp",
        "bytes_out": len(traffic.answer.content),
    }
    assert list(ok["ms"]) == list(STAGES)
    assert (refused["status"], refused["code"], refused["width"]) == (
        400,
        "unknown_parameter",
        None,
    )
    assert datetime.fromisoformat(ok["time"]) <= datetime.fromisoformat(refused["time"])


def test_no_log_holds_what_a_client_wrote(served: Served, traffic: Traffic) -> None:
    token = served.api.token("inference")
    for log in served.config.logs.glob("*.log"):
        text = log.read_text(encoding="utf-8")
        assert SECRET not in text, log.name
        assert token not in text, log.name
        assert FORGED.strip() not in text, log.name


def test_the_workers_own_log_repeats_no_request(served: Served, traffic: Traffic) -> None:
    assert '"event": "request"' not in (served.config.logs / "model_log.log").read_text()
