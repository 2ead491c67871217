"""Which CPUs this worker computes on, and with how many threads.

`make serve` plans it (``scripts/torchserve/worker_plan.py``) and gives every worker the whole plan
in environment variables, but not its place in it. So each worker takes the first free slot of CPUs:
it locks a file for each CPU, because servers side by side may divide the CPUs differently. The
kernel drops the locks with the process, so that its replacement finds the slot free.
"""

import fcntl
import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class CpuAllocation:
    """The share of the machine that one worker has."""

    threads: int
    """How many threads may compute at a time."""
    slots: tuple[frozenset[int], ...] = ()
    """The CPUs of each worker that is planned; none: no worker keeps to CPUs of its own."""
    folder: Path = Path(tempfile.gettempdir())
    """Where the CPUs' files are; the same for all workers that share a machine."""
    profile: str | None = None
    workers: int | None = None
    slot: int | None = field(default=None, init=False)
    """The number of the slot that is taken."""
    _locks: ExitStack | None = field(default=None, init=False, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "CpuAllocation":
        """Read the plan of ``make serve``.

        ``CUTOUT_THREADS`` is a number, ``CUTOUT_CPU_SLOTS`` lists the CPUs of each worker, as in
        ``0,4;1,5``, ``CUTOUT_SLOT_FOLDER`` is `folder`, by default that for temporary files;
        ``CUTOUT_PROFILE`` and ``CUTOUT_WORKERS`` are only told on. Without them, as in a TorchServe
        started by hand, ``OMP_NUM_THREADS`` holds, or a thread for each usable CPU.
        """
        threads = environment.get("CUTOUT_THREADS") or environment.get("OMP_NUM_THREADS")
        slots = environment.get("CUTOUT_CPU_SLOTS", "").split(";")
        return cls(
            int(threads or len(os.sched_getaffinity(0))),
            tuple(frozenset(map(int, slot.split(","))) for slot in slots if slot),
            Path(environment.get("CUTOUT_SLOT_FOLDER") or tempfile.gettempdir()),
            profile=environment.get("CUTOUT_PROFILE"),
            workers=int(environment.get("CUTOUT_WORKERS", "0")) or None,
        )

    def claim(self) -> None:
        """Take the first free slot and keep this process to its CPUs, if there is one.

        There is none while two versions are served at once, beside another server, and for workers
        beyond the plan; they compute wherever the kernel likes. Call it again later: it costs some
        microseconds.
        """
        if self.slot is not None:
            return
        for number, cpus in enumerate(self.slots):
            # A CPU of it is taken or not ours any more, or its file belongs to another user.
            with suppress(OSError), ExitStack() as opened:
                for cpu in sorted(cpus):
                    lock = opened.enter_context((self.folder / f"cpu-{cpu}").open("ab"))
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _keep_to(cpus)
                self.slot, self._locks = number, opened.pop_all()
                return

    def as_dict(self) -> dict[str, object]:
        """Tell the plan and this worker's part in it."""
        return {
            "profile": self.profile,
            "workers": self.workers,
            "threads": self.threads,
            "process": os.getpid(),
            "slot": self.slot,
            "cpus": sorted(os.sched_getaffinity(0)),
        }


def _keep_to(cpus: frozenset[int]) -> None:
    """Let every thread of this process run on these CPUs only; later ones inherit it."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(int(thread.name), cpus)
