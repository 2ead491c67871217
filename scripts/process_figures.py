"""What the kernel tells of running processes, in words."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta

import psutil

# Over which a process's share of the CPUs is taken.
CPU_SAMPLE_S = 0.3


def age(process: psutil.Process) -> str:
    """Return how long a process has run, as in ``2:05:13``."""
    return str(timedelta(seconds=round(time.time() - process.create_time())))


def figures_of(pids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Return age, memory, share of a core, number and CPUs of each process; of a dead one nothing.

    It looks at them side by side, for a moment.
    """
    found = dict(_processes(pids))
    shares = [_cpu_seconds(process) for process in found.values()]
    time.sleep(CPU_SAMPLE_S if found else 0)
    figures: dict[int, tuple[str, ...]] = dict.fromkeys(pids, ())
    for before, (pid, process) in zip(shares, found.items(), strict=True):
        try:
            share = (_cpu_seconds(process) - before) / CPU_SAMPLE_S
            figures[pid] = (
                f"{age(process)} old",
                f"{process.memory_info().rss >> 20} MiB",
                f"{100 * share:.0f} % of a core",
                f"process {pid}",
                f"on CPU {','.join(map(str, process.cpu_affinity()))}",
            )
        except psutil.Error:  # it has just ended
            continue
    return figures


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
