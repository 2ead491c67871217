"""The status of a server, its models and their workers, as values and as text."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from scripts.lifecycle.process_stats import ProcessStats
from scripts.lifecycle.status_text import described, table
from scripts.torchserve.versions import CLOSED

READY = "READY"
# CPU: share of a core. Cores: the CPUs that the worker may run on.
WORKER_COLUMNS = ("worker", "state", "up", "memory", "CPU", "cores", "process", "restarts")


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

    def cells(self) -> tuple[str, ...]:
        """Return its row, under ``WORKER_COLUMNS``."""
        found = self.process
        stats = ("-",) * 5
        if found:
            stats = (
                str(timedelta(seconds=found.age_s)),
                f"{found.memory_mib} MiB",
                f"{100 * found.cores:.0f} %",
                ",".join(map(str, found.cpus)),
                str(found.pid),
            )
        return (self.id, self.state, *stats, str(self.restarts))


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
        yield f"TorchServe: {self.summary()}"
        yield f"  address  {self.address}"
        yield (
            f"  up       {timedelta(seconds=self.age_s)}, since {started:%Y-%m-%d %H:%M}, process "
            f"{self.pid}"
        )
        yield f"  plan     {planned(self.plan)}"
        for each in self.versions:
            if not each.closed:
                yield ""
                yield from self._version_lines(each)

    def _version_lines(self, version: VersionStatus) -> Iterator[str]:
        # A worker that no request for the model reaches is not called READY.
        refused = version.model in self.closed_models
        state = "loaded, and refused to requests" if refused else READY
        mark = " (default)" if version.default else ""
        yield (
            f"{version.model} {version.version}{mark}: {version.ready} of {len(version.workers)} "
            f"workers {state}, {_requests(version.waiting)}"
        )
        yield from table(
            [
                WORKER_COLUMNS,
                *(
                    (replace(each, state="loaded") if refused and each.ready else each).cells()
                    for each in version.workers
                ),
            ]
        )
        if version.description is not None:
            yield ""
            yield from described(version.description)
        elif version.ready and not self.speaks_kserve:
            yield f"{version.model} {version.version} is too busy to describe itself"


def planned(plan: object) -> str:
    """Return what is known of a server's plan of workers."""
    return str(plan) if plan else "its plan of workers and cores is not known"


def _requests(waiting: int) -> str:
    return "no request waits" if waiting == 0 else f"{waiting} request(s) wait"
