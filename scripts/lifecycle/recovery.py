"""Brings back workers that TorchServe has given up.

It starts a worker that dies again and again, with growing pauses, until ``maxRetryTimeoutInSec`` of
the model is over. Then the worker stays dead, but keeps its place: requests are still accepted, and
wait for nobody. Only giving up the place helps.
"""

import sys
import time
from typing import Any

import psutil

from scripts.lifecycle.drain import deadline_for
from scripts.lifecycle.pause_workers import paused
from scripts.torchserve.config import ServerError
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.restart_log import GRACE_S, RestartLog

# One that TorchServe will start sooner is left to it.
LONG_PAUSE_S = 30


def recover(api: ManagementApi, described: dict[str, Any], retries: RestartLog) -> None:
    """Replace the dead workers of a version, if there are any; say so.

    TorchServe can only end workers at the end of its list: those behind the first dead one are
    replaced as well, when they have answered what they have in hand. What waits in the queue stays
    there, and is answered by the new ones.

    Raises:
        ServerError: they don't get READY.
    """
    model, version = described["modelName"], described["modelVersion"]
    first = _first_given_up(described, retries)
    if first is None or not _still_dead(api, model, version, first):
        return
    worker = described["workers"][first]["id"]
    print(
        f"{model} {version}: worker {worker} has died too often, TorchServe does not start it "
        "again; reviving it",
        file=sys.stderr,
        flush=True,
    )
    deadline = deadline_for(api, model)
    try:
        with paused(api, model, version, deadline, keep=first, emptied=False):
            api.scale(model, version, first)
    finally:  # also when the user gives up: nobody else knows how many there were
        api.set_workers(model, version, described["minWorkers"])
    try:
        api.wait_until_ready(model, version, described["minWorkers"])
    except ServerError as error:
        raise ServerError(f"{model} {version} can't be revived: {error}") from error
    print(f"{model} {version}: {described['minWorkers']} worker(s) READY again", file=sys.stderr)


def _first_given_up(described: dict[str, Any], retries: RestartLog) -> int | None:
    for place, worker in enumerate(described["workers"]):
        seconds = retries.seconds_until_next(worker["id"])
        if not _lives(worker) and (seconds is None or seconds > LONG_PAUSE_S):
            return place
    return None


def _still_dead(api: ManagementApi, model: str, version: str, place: int) -> bool:
    """Look again a little later, since a log that is full does not tell of a new start."""
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline:
        workers = api.describe(model, version)["workers"]
        if place >= len(workers) or _lives(workers[place]):
            return False
        time.sleep(0.5)
    return True


def _lives(worker: dict[str, Any]) -> bool:
    return worker["status"] == "READY" or (worker["pid"] > 0 and psutil.pid_exists(worker["pid"]))
