"""More requests than the server can take: it says so at once, and loses none that it took."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from server_config import read_properties
from tests.conftest import ROOT
from tests.served.conftest import Served

REQUESTS = 40


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_what_is_beyond_the_queue_is_refused_at_once_and_the_rest_is_answered(
    served: Served, photo_files: list[Path]
) -> None:
    photo = photo_files[1].read_bytes()
    queue = int(read_properties(ROOT / "config.properties")["job_queue_size"])
    (worker,) = served.worker_pids()

    def ask() -> int:
        return served.ask(data=photo, method="PUT").status_code

    with ThreadPoolExecutor(REQUESTS) as clients:
        with standing_still(worker):
            asked: list[Future[int]] = [clients.submit(ask) for _ in range(REQUESTS)]
            # One is in the worker's hands. Nothing moves, and still these are answered.
            refused = [
                future.result()
                for future, _ in zip(as_completed(asked), range(REQUESTS - queue - 1), strict=False)
            ]
        statuses = Counter(future.result() for future in asked)

    assert set(refused) == {503}
    assert statuses == {200: queue + 1, 503: REQUESTS - queue - 1}
    assert served.worker_pids() == [worker]
