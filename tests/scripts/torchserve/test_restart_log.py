import os
import time
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from scripts.torchserve.config import ServerConfig
from scripts.torchserve.restart_log import RestartLog

LINE = (
    "{} [INFO ] W-1-u2net_1.0 org.pytorch.serve.wlm.WorkerThread - Retry worker: {} in {} seconds."
)

LAST = "{} [WARN ] W-{}-u2net_1.0 org.pytorch.serve.wlm.WorkerThread - Auto recovery failed again"


@pytest.fixture
def config(tmp_path: Path) -> ServerConfig:
    config = ServerConfig(22000, tmp_path, tmp_path)
    config.logs.mkdir(parents=True)
    return config


def written(config: ServerConfig, *retries: tuple[float, str, int | None]) -> RestartLog:
    """Write a log of retries, each at a time, of a worker, in so many seconds; None: never."""
    lines = ["a line of another kind"]
    for at, worker, pause in retries:
        # As log4j's ISO8601: 2026-11-24T14:38:39,108
        told = datetime.fromtimestamp(at).isoformat(timespec="milliseconds").replace(".", ",")
        known = LAST.format(told, worker) if pause is None else LINE.format(told, worker, pause)
        lines.append(known)
    (config.logs / "ts_log.log").write_text("\n".join(lines))
    return RestartLog.read(config, psutil.Process(os.getpid()))


def test_restarts_are_counted_by_worker_and_of_this_server_only(config: ServerConfig) -> None:
    now = time.time()
    before = psutil.Process(os.getpid()).create_time() - 60

    retries = written(config, (before, "1", 1), (now, "1", 1), (now, "1", 2), (now, "2", 3))

    assert [retries.count(worker) for worker in "123"] == [2, 1, 0]


def test_the_last_one_tells_when_a_worker_is_due(config: ServerConfig) -> None:
    now = time.time()

    retries = written(config, (now, "1", 1), (now, "1", 500), (now - 60, "2", 1))

    due = retries.seconds_until_next("1")
    assert due is not None
    assert 400 < due <= 500
    # It should have been started long ago.
    assert retries.seconds_until_next("2") is None
    assert retries.seconds_until_next("3") is None


def test_a_worker_that_was_given_up_is_not_due_even_a_moment_later(config: ServerConfig) -> None:
    now = time.time()

    retries = written(config, (now - 2, "1", 1), (now, "1", None), (now, "2", None), (now, "2", 9))

    assert retries.seconds_until_next("1") is None
    assert retries.seconds_until_next("2") is not None
    assert retries.count("1") == 1


def test_without_a_log_nothing_is_known(config: ServerConfig) -> None:
    retries = RestartLog.read(config, psutil.Process(os.getpid()))

    assert (retries.count("1"), retries.seconds_until_next("1")) == (0, None)
