"""Which CPUs this worker computes on, and with how many threads.

``make serve`` plans it (``scripts/torchserve/worker_plan.py``) and passes every worker the whole
plan, but not its place in it. So each worker takes the first free slot of CPUs: it locks a file for
each CPU, because servers side by side may divide the CPUs differently. The kernel drops the locks
with the process, so that its replacement finds the slot free.
"""

import fcntl
import os
import tempfile
from collections.abc import Collection
from contextlib import ExitStack, suppress
from pathlib import Path

from u2net_cutout.worker.environment import WorkerEnvironment


class CpuAllocation:
    """The CPUs and threads of one worker, by the plan in its environment.

    Without a plan ``OMP_NUM_THREADS`` says how many threads, or there is one for each usable CPU.
    """

    def __init__(self, plan: WorkerEnvironment) -> None:
        self.plan = plan
        by_hand = os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))
        # How many threads may compute at a time.
        self.threads = plan.threads or int(by_hand)
        # The number of the slot that is taken.
        self.slot: int | None = None
        self._locks: ExitStack | None = None

    def claim(self) -> None:
        """Take the first free slot and keep this process to its CPUs, if there is one.

        There is none while two versions are served at once, beside another server, and for workers
        beyond the plan; the kernel then places their threads. Call it again later: it takes some
        microseconds.
        """
        if self.slot is not None:
            return
        folder = self.plan.slot_folder or Path(tempfile.gettempdir())
        for number, cpus in enumerate(self.plan.slots or ()):
            # A CPU of it is taken or not ours any more, or its file belongs to another user.
            with suppress(OSError), ExitStack() as opened:
                for cpu in sorted(cpus):
                    lock = opened.enter_context((folder / f"cpu-{cpu}").open("ab"))
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _keep_to(cpus)
                self.slot, self._locks = number, opened.pop_all()
                return

    def as_dict(self) -> dict[str, object]:
        """Return the plan and this worker's part in it."""
        return {
            "profile": self.plan.profile,
            "workers": self.plan.workers,
            "threads": self.threads,
            "process": os.getpid(),
            "slot": self.slot,
            "cpus": sorted(os.sched_getaffinity(0)),
        }


def _keep_to(cpus: Collection[int]) -> None:
    """Let every thread of this process run on these CPUs only; later ones inherit it."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(int(thread.name), cpus)
