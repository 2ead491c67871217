"""Age, memory and CPU of running processes."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

# The time over which a process's share of a core is measured.
CPU_SAMPLE_S = 0.3


@dataclass(frozen=True)
class ProcessStats:
    """One process at one moment."""

    pid: int
    age_s: int
    memory_mib: int
    """Resident memory."""
    cores: float
    """Share of a core that it uses."""
    cpus: tuple[int, ...]
    """The CPUs that it may run on."""


def age_s(process: psutil.Process) -> int:
    """Return how many seconds a process has run."""
    return round(time.time() - process.create_time())


def stats_of(pids: Sequence[int]) -> dict[int, ProcessStats]:
    """Measure processes side by side, for a moment; those that have ended are left out."""
    found = dict(_processes(pids))
    before = {pid: _cpu_seconds(process) for pid, process in found.items()}
    time.sleep(CPU_SAMPLE_S if found else 0)
    stats = {}
    for pid, process in found.items():
        try:
            stats[pid] = ProcessStats(
                pid,
                age_s(process),
                process.memory_info().rss >> 20,
                round((_cpu_seconds(process) - before[pid]) / CPU_SAMPLE_S, 2),
                tuple(process.cpu_affinity()),
            )
        except psutil.Error:  # it has just ended
            continue
    return stats


def _processes(pids: Sequence[int]) -> Iterator[tuple[int, psutil.Process]]:
    for pid in pids:
        try:
            if pid > 0:
                yield pid, psutil.Process(pid)
        except psutil.NoSuchProcess:
            continue


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
