"""More requests than the queue holds: the rest are refused at once, and no other is lost."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from scripts.torchserve.properties import read_properties
from tests.conftest import ROOT
from tests.served.conftest import Served
from tests.served.test_drain import drawn

QUEUE = int(read_properties(ROOT / "config.properties")["job_queue_size"])
BEYOND = 5


@contextmanager
def paused(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_what_is_beyond_the_queue_is_refused_at_once_and_the_rest_is_answered(
    served: Served, photo_files: list[Path]
) -> None:
    photo = photo_files[1].read_bytes()
    (worker,) = served.worker_pids()
    # The worker has one.
    requests = 1 + QUEUE + BEYOND

    def ask() -> int:
        return served.ask(data=photo, method="PUT").status_code

    with ThreadPoolExecutor(requests) as clients:
        with paused(worker):
            before = drawn(served)
            asked = [clients.submit(ask)]
            while drawn(served) == before:
                time.sleep(0.05)
            asked += [clients.submit(ask) for _ in range(requests - 1)]
            # Nothing moves, and still some are answered.
            refused = [future.result() for future in islice(as_completed(asked), BEYOND)]
        statuses = Counter(future.result() for future in asked)

    assert refused == [503] * BEYOND
    assert statuses == {200: 1 + QUEUE, 503: BEYOND}
    assert served.worker_pids() == [worker]
