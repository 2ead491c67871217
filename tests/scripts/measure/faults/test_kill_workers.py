"""The report of `make kill-workers`; tests/served/test_faults.py runs it."""

import os
from pathlib import Path

import pytest

from scripts.measure.faults.clients import Outcome
from scripts.measure.faults.kill_workers import Killing, _worker_of
from scripts.torchserve.config import ServerConfig, ServerError


def outcome(*tries: str) -> Outcome:
    return Outcome(0.0, 1.5, tries)


SERVED = outcome("200")


def test_the_report_counts_what_each_request_got() -> None:
    plain = [SERVED, SERVED, outcome("507")]
    killing = Killing(120.0, plain, [SERVED, outcome("507", "200")], [4.0, 6.0, 9.0])

    assert killing.sound
    assert killing.report().splitlines() == [
        "3 workers were killed in 120 s",
        "sent once: 3 requests, 2 x 200, 1 x 507",
        "sent up to 3 times, 4 s apart: 2 requests, 1 of them more than once, 2 served",
        "without a response: 0; the slowest took 1.5 s",
        "from SIGKILL to all workers READY: median 6.0 s, worst 9.0 s",
    ]


@pytest.mark.parametrize(
    "killing",
    [
        Killing(1.0, [outcome("ReadTimeout")], [SERVED], [1.0]),
        Killing(1.0, [outcome("400")], [SERVED], [1.0]),
        Killing(1.0, [SERVED], [outcome("507", "507", "507")], [1.0]),
        Killing(1.0, [SERVED], [outcome("ConnectionError", "200")], [1.0]),
        Killing(1.0, [SERVED], [SERVED], []),
    ],
)
def test_a_request_without_a_cutout_is_not_sound(killing: Killing) -> None:
    assert not killing.sound


@pytest.mark.parametrize("pid", [-1, 0, 1, os.getpid()], ids=["all", "group", "init", "itself"])
def test_no_other_process_is_killed(tmp_path: Path, pid: int) -> None:
    config = ServerConfig(32000, tmp_path, tmp_path)

    with pytest.raises(ServerError, match="is not a worker of the server"):
        _worker_of(config, pid)
