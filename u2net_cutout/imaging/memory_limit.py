"""Bounds the memory that a block of work may take, by a limit that the kernel holds.

A decoder can be made to ask for any amount of memory by a small file, in more ways than can be
looked for beforehand, and a worker that takes all there is gets killed. Under RLIMIT_DATA
(https://man7.org/linux/man-pages/man2/getrlimit.2.html) it is refused memory instead, and gives up.
The limit is one of the process: threads that do other work meanwhile are held to it as well.
"""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

STATM = Path("/proc/self/statm")
DATA_PAGES = 5


class MemoryBudgets:
    """The blocks of one process that run at the moment; they share the sum of their budgets."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sizes: list[int] = []
        self._used = self._allowed = 0

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Let the process take `size` bytes more than it has, while the block runs.

        Beyond, allocations fail: in Python with a MemoryError. Only Linux shows what a process has;
        elsewhere nothing is bounded.
        """
        if not STATM.exists():
            yield
            return
        with self._lock:
            self._enter(size)
        try:
            yield
        finally:
            with self._lock:
                self._leave(size)

    def _enter(self, size: int) -> None:
        has = _data_bytes()
        if self._sizes:
            self._used = min(self._used, has)
        else:
            self._used, self._allowed = has, _limits()[0]
        self._sizes.append(size)
        self._apply()

    def _leave(self, size: int) -> None:
        self._sizes.remove(size)
        # What the block made may stay; those that still run must not pay for it.
        self._used += min(size, max(0, _data_bytes() - self._used))
        self._apply()

    def _apply(self) -> None:
        import resource

        hardest = _limits()[1]
        allowed = self._allowed
        if self._sizes:
            bounds = (self._used + sum(self._sizes), allowed, hardest)
            allowed = min(bound for bound in bounds if bound != resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hardest))


def _limits() -> tuple[int, int]:
    # Not above: Windows has no such module, and the client takes no budget.
    import resource

    return resource.getrlimit(resource.RLIMIT_DATA)


def _data_bytes() -> int:
    return int(STATM.read_text(encoding="ascii").split()[DATA_PAGES]) * mmap.PAGESIZE


BUDGETS = MemoryBudgets()
