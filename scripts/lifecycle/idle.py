"""Finds out from outside whether workers are idle, where they can't be paused.

KServe's envelopes can't take a describe call apart, so that it never reaches
``u2net_cutout/worker/pause.py``. And where the disk is full, no worker can be requested to pause.
"""

from collections.abc import Iterable

import psutil

from scripts.lifecycle.deadline import Deadline, OverdueError
from scripts.torchserve.management_api import ManagementApi

# A worker that has a picture in progress calculates: it is not without CPU time for so long.
IDLE_S = 1.0
# A worker that waits for a request wakes up now and then. It takes less than a tick of the clock.
IDLE_CPU_S = 0.02


def wait_until_idle(
    api: ManagementApi,
    model: str,
    version: str,
    deadline: Deadline,
    *,
    keep: int = 0,
    emptied: bool = True,
) -> None:
    """Wait until a version's workers but the first `keep` have used no CPU for a second.

    And before that, if `emptied`, until no request waits. A request that comes in the next moment
    is not seen.

    Raises:
        OverdueError: requests wait past the deadline; or the workers, which are given no longer
            than the response timeout, don't get idle.
    """
    described = api.describe(model, version)
    while emptied and (waiting := described["jobQueueStatus"]["pendingRequests"]):
        reason = f"{model} {version}: {waiting} request(s) wait"
        if not deadline.wait(reason):
            raise OverdueError(f"{reason}, after {deadline.seconds:.0f} s")
        described = api.describe(model, version)
    pids = [worker["pid"] for worker in described["workers"][keep:]]
    limit_s = described["responseTimeout"]
    wait_for_processes(pids, deadline, f"{model} {version}: a worker is busy", limit_s)


def wait_for_processes(
    pids: Iterable[int], deadline: Deadline, reason: str, limit_s: float = float("inf")
) -> None:
    """Wait until processes have used no CPU for a second; those that have ended count as idle.

    Raises:
        OverdueError: the deadline has passed, or `limit_s` seconds.
    """
    pids = [pid for pid in pids if pid > 0]
    begin = idle_since = deadline.elapsed
    before = _busy_s(pids)
    while deadline.elapsed - idle_since < IDLE_S:
        if deadline.elapsed - begin > limit_s or not deadline.wait(reason):
            raise OverdueError(f"{reason}, after {deadline.elapsed:.0f} s")
        now = _busy_s(pids)
        if now is None or before is None or now - before > IDLE_CPU_S:
            idle_since, before = deadline.elapsed, now


def _busy_s(pids: Iterable[int]) -> float | None:
    """Return the CPU seconds of the processes that live; None where one is suspended."""
    seconds = 0.0
    for pid in pids:
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_STOPPED:
                return None
            times = process.cpu_times()
            seconds += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return seconds
