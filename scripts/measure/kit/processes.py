"""What a server costs: CPU time and memory of its process and all that it started."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

# Reading it takes some milliseconds of a large process.
SAMPLE_PAUSE_S = 2.0

# How TorchServe starts its workers.
WORKER = "model_service_worker.py"


@dataclass(frozen=True)
class ProcessTree:
    """A process and all its descendants, as they are now."""

    root: psutil.Process

    def cpu_s(self, only: str = "") -> float:
        """Return the CPU seconds so far, of ended children too.

        `only` counts the processes that have this in their command line.
        """
        return sum(sum(process.cpu_times()[:4]) for process in self._living(only))

    def pss_bytes(self) -> int:
        """Return the memory, shared pages split among those that share them."""
        return sum(process.memory_full_info().pss for process in self._living())

    def end(self, timeout_s: float = 15) -> None:
        """End all of it, the root first, so that it can tidy up."""
        family = [self.root, *self.root.children(recursive=True)]
        self.root.terminate()
        psutil.wait_procs([self.root], timeout_s)
        for survivor in family:
            with suppress(psutil.NoSuchProcess):
                survivor.kill()
        psutil.wait_procs(family, timeout_s)

    def _living(self, only: str = "") -> Iterator[psutil.Process]:
        for process in (self.root, *self.root.children(recursive=True)):
            # One that ends meanwhile is counted by its parent from then on.
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if not only or any(only in part for part in process.cmdline()):
                    yield process


@dataclass
class Peak:
    """The most memory that was seen."""

    pss_bytes: int = 0


@contextmanager
def peak_memory(tree: ProcessTree) -> Iterator[Peak]:
    """Watch a server's memory while what is inside happens."""
    peak, over = Peak(), threading.Event()

    def watch() -> None:
        while True:
            with suppress(psutil.NoSuchProcess):
                peak.pss_bytes = max(peak.pss_bytes, tree.pss_bytes())
            if over.wait(SAMPLE_PAUSE_S):
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()
