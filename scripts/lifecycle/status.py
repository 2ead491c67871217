"""What runs: the server, its models and their workers, for people or as JSON."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import psutil

from scripts.lifecycle.process_stats import ProcessStats, age_s, stats_of
from scripts.lifecycle.recovery import recover
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.restart_log import RestartLog
from scripts.torchserve.versions import CLOSED

# How long a handler's description is waited for: it queues behind the requests.
DESCRIPTION_TIMEOUT_S = 5
READY = "READY"


@dataclass(frozen=True)
class WorkerStatus:
    """One worker of a version."""

    id: str
    state: str
    """READY; or loading, or dead and when it is started again."""
    restarts: int
    process: ProcessStats | None
    """None: it does not run."""

    @property
    def ready(self) -> bool:
        """Whether it is READY."""
        return self.state == READY

    def __str__(self) -> str:
        restarted = f"restarted {self.restarts} times" if self.restarts else "never restarted"
        stats = [str(self.process)] if self.process else []
        return f"worker {self.id}: {', '.join((self.state, *stats, restarted))}"


@dataclass(frozen=True)
class VersionStatus:
    """One version of a model."""

    model: str
    version: str
    default: bool
    """Requests that name no version go to it."""
    waiting: int
    """Requests in its queue."""
    workers: tuple[WorkerStatus, ...]
    description: dict[str, Any] | None
    """The handler's own description; None where there is none, or it is too busy."""

    @property
    def closed(self) -> bool:
        """It is the empty version that refuses requests."""
        return self.version == CLOSED

    @property
    def ready(self) -> int:
        """How many workers are READY."""
        return sum(worker.ready for worker in self.workers)


@dataclass(frozen=True)
class ServerStatus:
    """A running server."""

    address: str
    pid: int
    age_s: int
    plan: str | None
    speaks_kserve: bool
    versions: tuple[VersionStatus, ...]

    @property
    def closed_models(self) -> list[str]:
        """The models that refuse every request that names no version."""
        return [each.model for each in self.versions if each.closed and each.default]

    def summary(self) -> str:
        """Return in one line whether requests are served."""
        workers = sum(len(each.workers) for each in self.versions)
        ready = sum(each.ready for each in self.versions)
        waiting = _requests(sum(each.waiting for each in self.versions))
        if not self.versions:
            return "with no model: make register"
        if self.closed_models:
            return (
                f"REFUSES requests for {', '.join(self.closed_models)}, {waiting}. While make stop "
                "or make unregister runs, wait; if none does, one was killed: make serve"
            )
        if ready == workers > 0:
            return f"all workers READY, {waiting}"
        return f"{ready} of {workers} workers READY, {waiting}"

    def lines(self) -> Iterator[str]:
        """Yield the status as text, the important things first."""
        started = datetime.now() - timedelta(seconds=self.age_s)
        yield (
            f"TorchServe {self.summary()}; up for {timedelta(seconds=self.age_s)}, since "
            f"{started:%Y-%m-%d %H:%M}, process {self.pid}, {self.address}"
        )
        yield _planned(self.plan)
        for each in self.versions:
            yield from self._version_lines(each)
        if self.speaks_kserve:
            return
        for each in self.versions:
            if each.description is not None:
                yield f"{each.model} {each.version} is"
                yield from (f"  {name}: {value}" for name, value in each.description.items())
            elif each.ready:
                yield f"{each.model} {each.version} is too busy to describe itself"

    def _version_lines(self, version: VersionStatus) -> Iterator[str]:
        if version.closed:
            return
        # A worker that no request for the model reaches is not called READY.
        refused = version.model in self.closed_models
        state = "loaded, and refused to requests" if refused else READY
        mark = " (default)" if version.default else ""
        yield (
            f"{version.model} {version.version}{mark}: {version.ready} of {len(version.workers)} "
            f"workers {state}, {_requests(version.waiting)}"
        )
        for worker in version.workers:
            shown = replace(worker, state="loaded") if refused and worker.ready else worker
            yield f"  {shown}"


def show_status(config: ServerConfig, *, as_json: bool = False) -> None:
    """Print what runs; restart workers that TorchServe has given up.

    Raises:
        ServerError: the server can't be asked, or the workers don't come back.
    """
    process, api = TorchServeProcess(config).find(), ManagementApi(config)
    if process is None:
        print("null" if as_json else f"no server runs on port {config.port}")
        return
    try:
        versions = _versions(api)
    except ServerError:
        if not as_json:
            print(f"TorchServe runs, process {process.pid}, and does not list its models")
            print(_planned(TorchServeProcess(config).plan()))
        raise
    failure = _recover(api, versions, RestartLog.read(config, process))
    if as_json:
        status = status_of(api, process)
        print(json.dumps({**asdict(status), "closed_models": status.closed_models}, indent=2))
    else:
        print_status(api, process)
    if failure:
        raise failure


def print_status(api: ManagementApi, process: psutil.Process) -> None:
    """Print what runs as text."""
    for line in status_of(api, process).lines():
        print(line)
    sys.stdout.flush()


def status_of(api: ManagementApi, process: psutil.Process) -> ServerStatus:
    """Ask a running server what it serves.

    Raises:
        ServerError: it does not answer.
    """
    versions, retries = _versions(api), RestartLog.read(api.config, process)
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
        tuple(_version_status(api, each, defaults, retries, stats) for each in versions),
    )


def recover_all(config: ServerConfig) -> None:
    """Restart whatever workers TorchServe has given up.

    Raises:
        ServerError: they don't come back.
    """
    process, api = TorchServeProcess(config).find(), ManagementApi(config)
    if process is None:
        return
    failure = _recover(api, _versions(api), RestartLog.read(config, process))
    if failure:
        raise failure


def _recover(
    api: ManagementApi, versions: list[dict[str, Any]], retries: RestartLog
) -> ServerError | None:
    """Try all of them; return why it failed for one, if it did."""
    failure = None
    for described in versions:
        try:
            recover(api, described, retries)
        except ServerError as error:
            failure = error
    return failure


def _versions(api: ManagementApi) -> list[dict[str, Any]]:
    models = sorted(entry["modelName"] for entry in api.models())
    return [version for model in models for version in api.versions(model)]


def _version_status(
    api: ManagementApi,
    described: dict[str, Any],
    defaults: set[tuple[str, str]],
    retries: RestartLog,
    stats: dict[int, ProcessStats],
) -> VersionStatus:
    model, version = described["modelName"], described["modelVersion"]
    workers = tuple(
        WorkerStatus(
            worker["id"],
            _state(worker, retries),
            retries.count(worker["id"]),
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


def _state(worker: dict[str, Any], retries: RestartLog) -> str:
    if worker["status"] == READY:
        return READY
    if psutil.pid_exists(worker["pid"]):
        return "loading"
    seconds = retries.seconds_until_next(worker["id"])
    if seconds is None:
        return "DEAD, and not started again"
    return f"died, is started again in {max(0, seconds):.0f} s"


def _planned(plan: object) -> str:
    return f"planned for {plan}" if plan else "its plan of workers and cores is not known"


def _requests(waiting: int) -> str:
    return "no request waits" if waiting == 0 else f"{waiting} request(s) wait"
