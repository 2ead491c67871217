"""Recovers workers that TorchServe has given up.

It restarts a worker that dies, with growing pauses, until ``maxRetryTimeoutInSec`` of the model is
over. Then the worker stays dead, but keeps its place in the list: requests are still accepted, and
wait for ever. Only to scale down to that place and up again helps.
"""

import sys
import time
from typing import Any

import psutil

from scripts.lifecycle.drain import deadline_for
from scripts.lifecycle.pause_workers import paused
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.restart_log import GRACE_S, RestartLog

# One that TorchServe will start sooner is left to it.
LONG_PAUSE_S = 30


def recover_all(config: ServerConfig) -> None:
    """Replace all workers of a server that TorchServe has given up; without a server, do nothing.

    Raises:
        ServerError: they don't get READY, after all versions were tried.
    """
    server, api = TorchServeProcess(config).find(), ManagementApi(config)
    if server is None:
        return
    restarts, failure = RestartLog.read(config, server), None
    for described in api.all_versions():
        try:
            recover(api, described, restarts)
        except ServerError as error:
            failure = error
    if failure:
        raise failure


def recover(api: ManagementApi, described: dict[str, Any], restarts: RestartLog) -> None:
    """Replace the dead workers of a version, if there are any; report it.

    TorchServe can only end workers at the end of its list: those behind the first dead one are
    replaced as well, when they are idle. What waits in the queue stays there, for the new ones.

    Raises:
        ServerError: they don't get READY.
    """
    model, version = described["modelName"], described["modelVersion"]
    first = _first_given_up(described, restarts)
    if first is None or not _still_dead(api, model, version, first):
        return
    worker = described["workers"][first]["id"]
    print(
        f"{model} {version}: worker {worker} has died too often, TorchServe does not start it "
        "again; replacing it",
        file=sys.stderr,
        flush=True,
    )
    deadline = deadline_for(api, model)
    try:
        with paused(api, model, version, deadline, keep=first, emptied=False):
            api.scale(model, version, first)
    finally:  # also when interrupted: only this command knows how many there were
        api.set_workers(model, version, described["minWorkers"])
    try:
        api.wait_until_ready(model, version, described["minWorkers"])
    except ServerError as error:
        raise ServerError(f"{model} {version} can't be recovered: {error}") from error
    print(f"{model} {version}: {described['minWorkers']} worker(s) READY again", file=sys.stderr)


def _first_given_up(described: dict[str, Any], restarts: RestartLog) -> int | None:
    for place, worker in enumerate(described["workers"]):
        seconds = restarts.seconds_until_next(worker["id"])
        if not _lives(worker) and (seconds is None or seconds > LONG_PAUSE_S):
            return place
    return None


def _still_dead(api: ManagementApi, model: str, version: str, place: int) -> bool:
    """Look again a little later, since a full log does not show a restart."""
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline:
        workers = api.describe(model, version)["workers"]
        if place >= len(workers) or _lives(workers[place]):
            return False
        time.sleep(0.5)
    return True


def _lives(worker: dict[str, Any]) -> bool:
    return worker["status"] == "READY" or (worker["pid"] > 0 and psutil.pid_exists(worker["pid"]))
