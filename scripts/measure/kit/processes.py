"""What a server costs: CPU time, memory, handles and threads of its process and all below it."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import psutil

# Reading the memory of a large process takes some milliseconds.
SAMPLE_PAUSE_S = 2.0

# How TorchServe starts its workers.
WORKER = "model_service_worker.py"

# Of all cores: above, a turn says more about other work than about the server.
MOST_OTHER_LOAD = 0.05

T = TypeVar("T")


@dataclass(frozen=True)
class ProcessSample:
    """One process at one moment."""

    rss: int
    """Bytes."""
    pss: int
    """Bytes; shared pages are split among the processes that share them."""
    handles: int
    threads: int

    @classmethod
    def of(cls, process: psutil.Process) -> "ProcessSample":
        """Read a process.

        Raises:
            psutil.NoSuchProcess: it has ended.
        """
        with process.oneshot():
            memory = process.memory_full_info()
            return cls(memory.rss, memory.pss, process.num_fds(), process.num_threads())


@dataclass(frozen=True)
class ProcessTree:
    """A process and all its descendants, as they are now."""

    root: psutil.Process

    def cpu_s(self, only: str = "") -> float:
        """Return the CPU seconds so far, of ended children too.

        `only` counts the processes that have this in their command line.
        """
        return sum(self.each(lambda process: sum(process.cpu_times()[:4]), only))

    def pss_bytes(self) -> int:
        """Return the memory; shared pages are split among the processes that share them."""
        return sum(self.each(lambda process: process.memory_full_info().pss))

    def each(self, read: Callable[[psutil.Process], T], only: str = "") -> Iterator[T]:
        """Yield what `read` returns of each process, without those that end meanwhile."""
        for process in (self.root, *self.root.children(recursive=True)):
            # Its parent counts its CPU time from then on.
            with suppress(psutil.NoSuchProcess):
                if not only or any(only in part for part in process.cmdline()):
                    yield read(process)

    def end(self, timeout_s: float = 15) -> None:
        """End all of them, the root first, so that it can tidy up."""
        family = [self.root, *self.root.children(recursive=True)]
        self.root.terminate()
        psutil.wait_procs([self.root], timeout_s)
        for survivor in family:
            with suppress(psutil.NoSuchProcess):
                survivor.kill()
        psutil.wait_procs(family, timeout_s)


@dataclass
class Peak:
    """The most memory that was seen."""

    pss_bytes: int = 0


@contextmanager
def peak_memory(tree: ProcessTree) -> Iterator[Peak]:
    """Sample a server's memory while the block runs."""
    peak, over = Peak(), threading.Event()

    def sample() -> None:
        while True:
            with suppress(psutil.NoSuchProcess):
                peak.pss_bytes = max(peak.pss_bytes, tree.pss_bytes())
            if over.wait(SAMPLE_PAUSE_S):
                return

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield peak
    finally:
        over.set()
        sampler.join()


class OtherLoad:
    """The cores' time, from now on, that neither a server nor this process takes."""

    def __init__(self, tree: ProcessTree) -> None:
        self._tree = tree
        self._start = time.monotonic(), self._others_s()

    def seconds(self) -> float:
        """Return it in seconds, with what a host takes from a virtual machine."""
        return max(0.0, self._others_s() - self._start[1])

    def share(self) -> float:
        """Return it as a share of all cores' time."""
        wall = time.monotonic() - self._start[0]
        return self.seconds() / (wall * (psutil.cpu_count() or 1))

    def _others_s(self) -> float:
        times = psutil.cpu_times()
        busy = sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
        # With the children of this process: the load generator.
        own = sum(os.times()[:4])
        return busy - own - self._tree.cpu_s()
