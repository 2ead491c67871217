"""The soak's client and its samples, with a real server."""

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from scripts.measure.soak.client import Outcome, SoakClient
from scripts.measure.soak.pictures import SOURCES
from scripts.measure.soak.request import Ask
from scripts.measure.soak.request_mix import deck
from scripts.measure.soak.samples import JVM, Sampler
from tests.served.conftest import Served

# Large bodies and pictures have tests of their own.
LEFT_OUT = ("33 MiB", "50 megapixels and more", "a large answer")


def sent(served: Served, asks: Sequence[Ask], times: int = 1) -> list[Outcome]:
    """Send requests one after the other."""

    async def send() -> list[Outcome]:
        async with aiohttp.ClientSession(trust_env=False) as session:
            client = SoakClient(served.api, "u2netp", session, served.api.token("inference"))
            return [await client.send(ask) for ask in [*asks] * times]

    return asyncio.run(send())


def test_what_is_due_is_what_the_server_answers(served: Served, photo_files: list[Path]) -> None:
    cards = deck(dict.fromkeys(SOURCES, photo_files[1].read_bytes()))
    good = [ask for ask in cards if ask.status == 200][::9]
    others = [ask for ask in cards if ask.status != 200 or ask.hang_up]
    workers = served.worker_pids()

    outcomes = sent(served, [*good, *(ask for ask in others if ask.name not in LEFT_OUT)])

    assert [outcome for outcome in outcomes if outcome.problem] == []
    assert served.worker_pids() == workers


def test_an_answer_that_is_not_due_is_noticed(served: Served, photo_files: list[Path]) -> None:
    cards = {ask.name: ask for ask in deck(dict.fromkeys(SOURCES, photo_files[1].read_bytes()))}
    body, text = cards["body"], cards["a text"]
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


def test_a_sample_tells_of_the_jvm_and_of_each_worker(served: Served) -> None:
    sample = Sampler(served.api, "u2netp").sample()

    (pid,) = served.worker_pids()
    assert set(sample.processes) == {JVM, f"1.0/{pid}"}
    assert all(
        each.rss > each.pss / 2 > 1 << 20 and each.handles > 3 and each.threads > 3
        for each in sample.processes.values()
    )
    assert sample.versions == ["1.0"]
    assert min(sample.temporary_files, sample.temporary_bytes, sample.log_bytes) > 0
