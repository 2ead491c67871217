"""Sees from outside whether workers have nothing in hand, where they can't be told to stand still.

KServe's envelopes can't take a describe call apart, so that it never reaches ``hold_point.py``.
"""

from typing import Any

import psutil

from scripts.lifecycle.deadline import OverdueError, Patience
from scripts.torchserve.management_api import ManagementApi

# A worker that has a picture in hand calculates: it is not without CPU time for so long.
IDLE_S = 1.0
# A worker that waits for a request wakes up now and then. It takes less than a tick of the clock.
IDLE_CPU_S = 0.02


def wait_until_idle(
    api: ManagementApi,
    model: str,
    version: str,
    patience: Patience,
    *,
    keep: int = 0,
    emptied: bool = True,
) -> None:
    """Wait until a version's workers but the first `keep` have used no CPU for a second.

    And before that, if `emptied`, until no request waits. A request that comes in the next moment
    is not seen.

    Raises:
        OverdueError: requests wait longer than `patience`; or the workers, which are given no
            longer than the response timeout, don't get idle.
    """
    described = api.describe(model, version)
    while emptied and (waiting := described["jobQueueStatus"]["pendingRequests"]):
        told = f"{model} {version}: {waiting} request(s) wait"
        if not patience.wait(told):
            raise OverdueError(f"{told}, after {patience.seconds:.0f} s")
        described = api.describe(model, version)
    workers = described["workers"][keep:]
    begin = idle_since = patience.spent
    before = _busy_s(workers)
    while patience.spent - idle_since < IDLE_S:
        told = f"{model} {version}: a worker is at work"
        if patience.spent - begin > described["responseTimeout"] or not patience.wait(told):
            raise OverdueError(f"{told}, after {patience.spent:.0f} s")
        now = _busy_s(workers)
        if now is None or before is None or now - before > IDLE_CPU_S:
            idle_since, before = patience.spent, now


def _busy_s(workers: list[dict[str, Any]]) -> float | None:
    """Return the CPU seconds of the workers that live; None where one is kept from working."""
    seconds = 0.0
    for worker in workers:
        try:
            if worker["pid"] <= 0:
                continue
            process = psutil.Process(worker["pid"])
            if process.status() == psutil.STATUS_STOPPED:
                return None
            times = process.cpu_times()
            seconds += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return seconds
