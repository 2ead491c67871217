"""What this process may use of the machine: physical cores, CPU time and memory.

The kernel reports it in three places: the CPU affinity, the CPUs that are siblings on one core, and
the limits of the control groups (containers). Formats:
https://www.kernel.org/doc/html/latest/admin-guide/cputopology.html,
https://www.kernel.org/doc/html/latest/admin-guide/cgroup-v2.html and, for version 1,
https://www.kernel.org/doc/html/latest/scheduler/sched-bwc.html.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Machine:
    """The usable part of a machine."""

    cores: tuple[tuple[int, ...], ...]
    """The usable CPUs of each physical core: one, or more where it runs several threads (SMT)."""
    quota: float | None
    """CPU seconds a second that a container is granted; None: as many as it has cores."""
    memory: int
    """Bytes that are still free, for all that is about to be started."""

    @classmethod
    def here(cls) -> "Machine":
        """Look at this machine, as this process sees it."""
        root = Path("/")
        free = [psutil.virtual_memory().available, *memory_left(root)]
        return cls(
            physical_cores(root, os.sched_getaffinity(0)),
            min(cpu_quotas(root), default=None),
            min(free),
        )


def physical_cores(root: Path, cpus: Iterable[int]) -> tuple[tuple[int, ...], ...]:
    """Group CPUs by the physical core that they share, in the order of their numbers.

    Where the kernel does not tell, each CPU counts as a core of its own.
    """
    usable = set(cpus)
    cores = {
        tuple(sorted(usable & _siblings(root / f"sys/devices/system/cpu/cpu{cpu}/topology", cpu)))
        for cpu in usable
    }
    return tuple(sorted(cores))


def cpu_quotas(root: Path) -> Iterator[float]:
    """Yield each limit of CPU time that holds for this process, in CPUs."""
    for folder in _control_groups(root, "cpu"):
        with suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            yield int(quota) / int(period)
        with suppress(OSError, ValueError):
            quota = (folder / "cpu.cfs_quota_us").read_text()
            if int(quota) > 0:
                yield int(quota) / int((folder / "cpu.cfs_period_us").read_text())


def memory_left(root: Path) -> Iterator[int]:
    """Yield, for each limit of memory that holds for this process, the bytes below it.

    Cached files that were not used lately count as free, as they are given up first.
    """
    for folder in _control_groups(root, "memory"):
        for limit, usage, inactive in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            with suppress(OSError, ValueError, KeyError):
                lines = (folder / "memory.stat").read_text().splitlines()
                statistics = dict(line.split() for line in lines)
                used = int((folder / usage).read_text()) - int(statistics[inactive])
                yield max(0, int((folder / limit).read_text()) - used)


def _siblings(topology: Path, cpu: int) -> set[int]:
    try:
        ranges = (topology / "thread_siblings_list").read_text().strip().split(",")
    except OSError:
        return {cpu}
    siblings: set[int] = set()
    for each in ranges:
        first, _, last = each.partition("-")
        siblings |= set(range(int(first), int(last or first) + 1))
    return siblings


def _control_groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the control groups that this process is in, up to the outermost.

    A container often sees the path that it has outside, but its own group as the outermost.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        outermost = root / "sys/fs/cgroup" / controllers
        folder = outermost / path.lstrip("/")
        while folder != outermost:
            yield folder
            folder = folder.parent
        yield outermost
