import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT
from u2net_cutout.worker.cpu_affinity import CpuAllocation
from u2net_cutout.worker.environment import WorkerEnvironment

# What a worker does: it claims, tells its slot and the CPUs of all its threads, and stays.
WORKER = """
import os, sys, threading
from pathlib import Path
from u2net_cutout.worker.cpu_affinity import CpuAllocation
from u2net_cutout.worker.environment import WorkerEnvironment

done = threading.Event()
threading.Thread(target=done.wait, daemon=True).start()
allocation = CpuAllocation(WorkerEnvironment.read(os.environ))
for _ in sys.stdin:
    allocation.claim()
    threads = [int(each.name) for each in Path("/proc/self/task").iterdir()]
    assert len(threads) == 2
    cpus = {tuple(sorted(os.sched_getaffinity(each))) for each in threads}
    print(allocation.slot, *cpus, flush=True)
"""
CPUS = sorted(os.sched_getaffinity(0))


class Worker:
    """A process that claims a slot whenever it is asked."""

    def __init__(self, folder: Path, slots: str, shared: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=ROOT,
            env={
                "TMPDIR": str(folder),
                "CUTOUT_THREADS": "1",
                "CUTOUT_CPU_SLOTS": slots,
                **({"CUTOUT_SLOT_FOLDER": str(shared)} if shared else {}),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def claim(self) -> tuple[int | None, set[int]]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        slot, cpus = self.process.stdout.readline().split(maxsplit=1)
        return (None if slot == "None" else int(slot)), set(
            map(int, cpus.strip("()\n,").split(","))
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def workers(
    folder: Path, slots: str, number: int, shared: Path | None = None
) -> Iterator[list[Worker]]:
    started = [Worker(folder, slots, shared) for _ in range(number)]
    try:
        yield started
    finally:
        for worker in started:
            worker.kill()


@pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs")
def test_each_worker_keeps_to_cpus_of_its_own(tmp_path: Path) -> None:
    slots = f"{CPUS[0]};{CPUS[1]}"
    with workers(tmp_path, slots, 3) as (first, second, third):
        assert first.claim() == (0, {CPUS[0]})
        assert second.claim() == (1, {CPUS[1]})
        assert third.claim() == (None, set(CPUS))


@pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs")
def test_who_replaces_a_killed_worker_takes_its_slot(tmp_path: Path) -> None:
    slots = f"{CPUS[0]};{CPUS[1]}"
    with workers(tmp_path, slots, 3) as (first, second, third):
        first.claim()
        second.claim()
        third.claim()

        first.kill()

        assert second.claim() == (1, {CPUS[1]})
        assert third.claim() == (0, {CPUS[0]})


@pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs")
def test_the_workers_of_two_servers_keep_to_different_cpus(tmp_path: Path) -> None:
    shared = tmp_path / "cpus"
    for folder in (tmp_path / "a", tmp_path / "b", shared):
        folder.mkdir()
    # The servers share the machine out differently: to one worker, and to two.
    with (
        workers(tmp_path / "a", f"{CPUS[1]}", 1, shared) as (one,),
        workers(tmp_path / "b", f"{CPUS[0]};{CPUS[1]}", 2, shared) as (other, late),
    ):
        assert one.claim() == (0, {CPUS[1]})
        assert other.claim() == (0, {CPUS[0]})
        assert late.claim() == (None, set(CPUS))


@pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs")
def test_a_slot_that_is_taken_in_part_is_left_alone(tmp_path: Path) -> None:
    with (
        workers(tmp_path, f"{CPUS[1]}", 1) as (one,),
        workers(tmp_path, f"{CPUS[0]},{CPUS[1]};{CPUS[0]}", 1) as (other,),
    ):
        one.claim()

        assert other.claim() == (1, {CPUS[0]})


def test_a_cpu_that_is_not_there_any_more_costs_nothing_but_the_slot(tmp_path: Path) -> None:
    with workers(tmp_path, "9999", 1) as (worker,):
        assert worker.claim() == (None, set(CPUS))


@pytest.mark.skipif(len(CPUS) < 2, reason="needs two CPUs")
def test_a_slot_whose_file_can_not_be_opened_is_passed_over(tmp_path: Path) -> None:
    # As another user's file can't; but a folder in its place stops root, too.
    (tmp_path / f"cpu-{CPUS[0]}").mkdir()

    with workers(tmp_path, f"{CPUS[0]};{CPUS[1]}", 2) as (first, second):
        assert first.claim() == (1, {CPUS[1]})
        assert second.claim() == (None, set(CPUS))


def test_without_a_plan_a_worker_uses_all_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    allocation = CpuAllocation(WorkerEnvironment())
    allocation.claim()

    assert allocation.as_dict() == {
        "profile": None,
        "workers": None,
        "threads": len(CPUS),
        "process": os.getpid(),
        "slot": None,
        "cpus": CPUS,
    }


def test_started_by_hand_the_usual_variable_says_how_many_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")

    assert CpuAllocation(WorkerEnvironment()).threads == 3
    assert CpuAllocation(WorkerEnvironment(threads=2)).threads == 2


def test_the_plan_is_part_of_the_description() -> None:
    allocation = CpuAllocation(WorkerEnvironment(threads=1, profile="throughput", workers=2))

    described = allocation.as_dict()
    assert [described[name] for name in ("profile", "workers", "threads")] == ["throughput", 2, 1]
