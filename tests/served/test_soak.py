"""The client of the soak and its samples, with a real server."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from scripts.measure.soak.client import Outcome, SoakClient
from scripts.measure.soak.pictures import SOURCES
from scripts.measure.soak.request import SoakRequest
from scripts.measure.soak.request_mix import request_mix
from scripts.measure.soak.samples import JVM, Sampler
from tests.served.conftest import Served

# Large bodies and pictures have tests of their own.
LEFT_OUT = ("33 MiB", "52 megapixels and more", "a large response")


def sent(served: Served, requests: Sequence[SoakRequest]) -> list[Outcome]:
    """Send requests one after the other."""
    client = SoakClient(served.api, "u2netp", served.api.token("inference"))
    return [client.send(request) for request in requests]


def test_each_request_gets_the_expected_response(served: Served, photo_files: list[Path]) -> None:
    mix = request_mix(dict.fromkeys(SOURCES, photo_files[1].read_bytes()))
    good = [each for each in mix if each.status == 200][::9]
    others = [each for each in mix if each.status != 200 or each.hang_up]
    workers = served.worker_pids()

    outcomes = sent(served, [*good, *(each for each in others if each.name not in LEFT_OUT)])

    assert [outcome for outcome in outcomes if outcome.problem] == []
    assert served.worker_pids() == workers


def test_an_unexpected_response_is_a_problem(served: Served, photo_files: list[Path]) -> None:
    mix = request_mix(dict.fromkeys(SOURCES, photo_files[1].read_bytes()))
    (body,) = (each for each in mix if each.name == "body")
    (text,) = (each for each in mix if each.name == "a text")
    other = dataclasses.replace(body, body=photo_files[2].read_bytes())

    same, another, wrong_code, wrong_status = sent(
        served,
        [
            body,
            other,
            dataclasses.replace(text, code="invalid_json"),
            dataclasses.replace(text, status=200),
        ],
    )

    assert same.problem is None
    assert "instead of" in (another.problem or "")
    assert wrong_code.problem == "invalid_file_type instead of invalid_json"
    assert (wrong_status.problem or "").startswith("415 ")


def test_a_sample_has_the_jvm_and_each_worker(served: Served) -> None:
    sample = Sampler(served.api, "u2netp").sample()

    (pid,) = served.worker_pids()
    assert set(sample.processes) == {JVM, f"1.0/{pid}"}
    assert all(
        each.rss > each.pss / 2 > 1 << 20 and each.handles > 3 and each.threads > 3
        for each in sample.processes.values()
    )
    assert sample.versions == ["1.0"]
    assert min(sample.temporary_files, sample.temporary_bytes, sample.log_bytes) > 0
