"""Samples of a server: memory, handles and threads of its processes, and its files."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.measure.kit.processes import WORKER, ProcessSample, ProcessTree
from scripts.torchserve.config import ServerError
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess

JVM = "JVM"


@dataclass(frozen=True)
class Sample:
    """The server at one moment."""

    at: float
    """Seconds of ``time.monotonic``."""
    processes: dict[str, ProcessSample]
    """By ``JVM``, and for workers by ``<version>/<pid>``."""
    versions: list[str]
    """The registered ones."""
    temporary_files: int
    temporary_bytes: int
    log_bytes: int
    unknown: list[int] = field(default_factory=list)
    """Process ids of workers that TorchServe does not list: starting, ending, or forgotten."""


@dataclass(frozen=True)
class Sampler:
    """Samples one server and the workers of one model."""

    api: ManagementApi
    model: str

    def sample(self) -> Sample:
        """Take one sample.

        Raises:
            ServerError: the server does not run any more, or does not answer.
        """
        config = self.api.config
        root = TorchServeProcess(config).find()
        if root is None:
            raise ServerError(f"the server on port {config.port} ended, see {config.logs}")
        described = self.api.versions(self.model)
        names = {root.pid: JVM}
        for each in described:
            names |= {w["pid"]: f"{each['modelVersion']}/{w['pid']}" for w in each["workers"]}
        at = time.monotonic()
        tree = ProcessTree(root)
        found = tree.each(lambda process: (process.pid, ProcessSample.of(process)))
        processes = {names[pid]: sample for pid, sample in found if pid in names}
        workers = tree.each(lambda process: process.pid, WORKER)
        unknown = [pid for pid in workers if pid not in names]
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


def _files(folder: Path) -> Iterator[int]:
    """Yield the size of each file below a folder."""
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except OSError:  # it has just gone
            continue
        if not path.is_dir():
            yield status.st_size
