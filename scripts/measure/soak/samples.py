"""What a server holds: memory, handles, threads and files, looked at now and again."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from scripts.torchserve.config import ServerError
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess

JVM = "JVM"
# In the command line of a worker.
WORKER = "model_service_worker.py"


@dataclass(frozen=True)
class ProcessSample:
    """One process."""

    rss: int
    """Bytes."""
    pss: int
    """Bytes; shared pages are split among those that share them."""
    handles: int
    threads: int


@dataclass(frozen=True)
class Sample:
    """The server at one moment."""

    at: float
    """Seconds of ``time.monotonic``."""
    processes: dict[str, ProcessSample]
    """By ``JVM``, and for workers by ``<version>/<process>``."""
    versions: list[str]
    """Those that are registered."""
    temporary_files: int
    temporary_bytes: int
    log_bytes: int
    unknown: list[int] = field(default_factory=list)
    """Processes of workers that TorchServe does not tell of: starting, ending, or forgotten."""


@dataclass(frozen=True)
class Sampler:
    """Looks at one server and the workers of one model."""

    api: ManagementApi
    model: str

    def sample(self) -> Sample:
        """Look once.

        Raises:
            ServerError: the server does not run any more, or does not answer.
        """
        config = self.api.config
        root = TorchServeProcess(config).find()
        if root is None:
            raise ServerError(f"the server on port {config.port} ended, see {config.logs}")
        described = self.api.versions(self.model)
        version_of = {
            worker["pid"]: each["modelVersion"] for each in described for worker in each["workers"]
        }
        at = time.monotonic()
        processes, unknown = {}, []
        for process in (root, *root.children(recursive=True)):
            try:
                if process == root:
                    processes[JVM] = _look_at(process)
                elif version := version_of.get(process.pid):
                    processes[f"{version}/{process.pid}"] = _look_at(process)
                elif any(WORKER in part for part in process.cmdline()):
                    unknown.append(process.pid)
            except psutil.Error:  # it has just ended
                continue
        files = list(_files(config.temporary))
        return Sample(
            at,
            processes,
            [each["modelVersion"] for each in described],
            len(files),
            sum(files),
            sum(_files(config.logs)),
            unknown,
        )


def _look_at(process: psutil.Process) -> ProcessSample:
    with process.oneshot():
        memory = process.memory_full_info()
        return ProcessSample(memory.rss, memory.pss, process.num_fds(), process.num_threads())


def _files(folder: Path) -> Iterator[int]:
    """Yield the size of every file below a folder."""
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except OSError:  # it has just gone
            continue
        if not path.is_dir():
            yield status.st_size
