"""What a person wants to know of a running server, the important things first."""

import sys
from datetime import datetime
from typing import Any

import psutil

from management_api import ManagementApi
from model_version import CLOSED
from process_figures import age, figures_of
from revival import revive
from server_config import ServerConfig, ServerError
from torchserve_process import TorchServeProcess
from worker_retries import Retries

# A person who looks at a busy server does not wait for its details.
LONGEST_ANSWER_S = 5


def status(config: ServerConfig) -> None:
    """Print what runs, with which models and workers; revive workers that nothing else revives.

    Raises:
        ServerError: the server can't be asked, or the workers don't come back.
    """
    process, api = TorchServeProcess(config).find(), ManagementApi(config)
    if process is None:
        print(f"no server runs on port {config.port}")
        return
    try:
        versions = _versions(api)
    except ServerError:
        _print_server(config, process, "which does not tell what it serves")
        raise
    failure = _revive(api, versions, Retries.read(config, process))
    report(api, process)
    if failure:
        raise failure


def revive_all(config: ServerConfig) -> None:
    """Revive whatever workers nothing else revives; say so.

    Raises:
        ServerError: they don't come back.
    """
    process, api = TorchServeProcess(config).find(), ManagementApi(config)
    if process is None:
        return
    failure = _revive(api, _versions(api), Retries.read(config, process))
    if failure:
        raise failure


def _revive(
    api: ManagementApi, versions: list[dict[str, Any]], retries: Retries
) -> ServerError | None:
    """Try all of them; return why it failed for one, if it did."""
    failure = None
    for described in versions:
        try:
            revive(api, described, retries)
        except ServerError as error:
            failure = error
    return failure


def report(api: ManagementApi, process: psutil.Process) -> None:
    """Print the server, each version and its workers, and what the default versions are."""
    versions, retries = _versions(api), Retries.read(api.config, process)
    workers = [worker for each in versions for worker in each["workers"]]
    ready = sum(worker["status"] == "READY" for worker in workers)
    waiting = sum(each["jobQueueStatus"]["pendingRequests"] for each in versions)
    if not versions:
        summary = "with no model: make register"
    elif ready == len(workers) > 0:
        summary = f"all workers READY, {_requests(waiting)}"
    else:
        summary = f"{ready} of {len(workers)} workers READY, {_requests(waiting)}"
    _print_server(api.config, process, summary)
    figures = figures_of([worker["pid"] for worker in workers])
    defaults = {entry["modelName"]: api.describe(entry["modelName"]) for entry in api.models()}
    for described in versions:
        default = defaults[described["modelName"]]["modelVersion"] == described["modelVersion"]
        _print_version(described, default, retries, figures)
    sys.stdout.flush()
    if api.config.speaks_kserve:  # the question does not come through its envelope
        return
    for described in versions:
        if any(worker["status"] == "READY" for worker in described["workers"]):
            _print_customized(api, described["modelName"], described["modelVersion"])


def _print_customized(api: ManagementApi, model: str, version: str) -> None:
    """Print what a version says of itself; the question waits behind its requests."""
    try:
        told = api.customized(model, version, LONGEST_ANSWER_S)
    except ServerError:
        print(f"{model} {version} is too busy to say what it is")
        return
    print(f"{model} {version} says of itself:")
    for name, value in told.items():
        print(f"  {name}: {value}")


def _versions(api: ManagementApi) -> list[dict[str, Any]]:
    models = sorted(entry["modelName"] for entry in api.models())
    return [version for model in models for version in api.versions(model)]


def _print_server(config: ServerConfig, process: psutil.Process, summary: str) -> None:
    started = datetime.fromtimestamp(process.create_time())
    print(
        f"TorchServe {summary}; up for {age(process)}, since {started:%Y-%m-%d %H:%M}, "
        f"process {process.pid}, {config.inference_address}"
    )
    plan = TorchServeProcess(config).plan()
    print(f"planned for {plan}" if plan else "its plan of workers and cores is not known")


def _print_version(
    described: dict[str, Any], default: bool, retries: Retries, figures: dict[int, tuple[str, ...]]
) -> None:
    named = f"{described['modelName']} {described['modelVersion']}"
    if described["modelVersion"] == CLOSED:
        if default:
            print(f"{described['modelName']} is closed: a make stop or unregister is at it")
        return
    workers = described["workers"]
    ready = sum(worker["status"] == "READY" for worker in workers)
    waiting = described["jobQueueStatus"]["pendingRequests"]
    mark = " (default)" if default else ""
    print(f"{named}{mark}: {ready} of {len(workers)} workers READY, {_requests(waiting)}")
    for worker in workers:
        restarts = retries.count(worker["id"])
        told = [
            _state(worker, retries),
            *figures[worker["pid"]],
            f"restarted {restarts} times" if restarts else "never restarted",
        ]
        print(f"  worker {worker['id']}: {', '.join(told)}")


def _state(worker: dict[str, Any], retries: Retries) -> str:
    if worker["status"] == "READY":
        return "READY"
    if psutil.pid_exists(worker["pid"]):
        return "loading"
    seconds = retries.seconds_until_next(worker["id"])
    if seconds is None:
        return "DEAD, and not started again"
    return f"died, is started again in {max(0, seconds):.0f} s"


def _requests(waiting: int) -> str:
    return "no request waits" if waiting == 0 else f"{waiting} request(s) wait"
