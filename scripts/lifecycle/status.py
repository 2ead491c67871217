"""Show what runs: the server, its models and their workers, as text or as JSON."""

import json
from dataclasses import asdict
from typing import Any

import psutil

from scripts.lifecycle.process_stats import ProcessStats, age_s, stats_of
from scripts.lifecycle.recovery import recover_all
from scripts.lifecycle.server_status import (
    READY,
    ServerStatus,
    VersionStatus,
    WorkerStatus,
    planned,
)
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.restart_log import RestartLog

# How long a handler's description is waited for: it queues behind the requests.
DESCRIPTION_TIMEOUT_S = 5


def show_status(config: ServerConfig, *, as_json: bool = False) -> None:
    """Print what runs; restart workers that TorchServe has given up.

    Raises:
        ServerError: the server does not respond, or the workers don't come back.
    """
    process, api = TorchServeProcess(config).find(), ManagementApi(config)
    if process is None:
        print("null" if as_json else f"no server runs on port {config.port}")
        return
    try:
        api.all_versions()
    except ServerError:
        if not as_json:
            print(f"TorchServe: process {process.pid} runs, but does not list its models")
            print("  plan     " + planned(TorchServeProcess(config).plan()))
        raise
    failure = None
    try:
        recover_all(config)
    except ServerError as error:  # shown first
        failure = error
    status = status_of(api, process)
    if as_json:
        print(json.dumps({**asdict(status), "closed_models": status.closed_models}, indent=2))
    else:
        print("\n".join(status.lines()), flush=True)
    if failure:
        raise failure


def status_of(api: ManagementApi, process: psutil.Process) -> ServerStatus:
    """Look up what a running server serves.

    Raises:
        ServerError: it does not respond.
    """
    versions, restart_log = api.all_versions(), RestartLog.read(api.config, process)
    stats = stats_of([worker["pid"] for each in versions for worker in each["workers"]])
    defaults = {
        (entry["modelName"], api.describe(entry["modelName"])["modelVersion"])
        for entry in api.models()
    }
    plan = TorchServeProcess(api.config).plan()
    return ServerStatus(
        api.config.inference_address,
        process.pid,
        age_s(process),
        str(plan) if plan else None,
        api.config.speaks_kserve,
        tuple(_version_status(api, each, defaults, restart_log, stats) for each in versions),
    )


def _version_status(
    api: ManagementApi,
    described: dict[str, Any],
    defaults: set[tuple[str, str]],
    restart_log: RestartLog,
    stats: dict[int, ProcessStats],
) -> VersionStatus:
    model, version = described["modelName"], described["modelVersion"]
    workers = tuple(
        WorkerStatus(
            worker["id"],
            _state(worker, restart_log),
            restart_log.count(worker["id"]),
            stats.get(worker["pid"]),
        )
        for worker in described["workers"]
    )
    description = None
    if not api.config.speaks_kserve and any(worker.ready for worker in workers):
        try:
            description = api.customized(model, version, DESCRIPTION_TIMEOUT_S)
        except ServerError:  # too busy
            description = None
    return VersionStatus(
        model,
        version,
        (model, version) in defaults,
        described["jobQueueStatus"]["pendingRequests"],
        workers,
        description,
    )


def _state(worker: dict[str, Any], restart_log: RestartLog) -> str:
    if worker["status"] == READY:
        return READY
    if psutil.pid_exists(worker["pid"]):
        return "loading"
    seconds = restart_log.seconds_until_next(worker["id"])
    if seconds is None:
        return "DEAD, and not started again"
    return f"died, is started again in {max(0, seconds):.0f} s"
