"""Bounds the memory that a block of work may take, by a limit that the kernel holds.

A decoder can be made to ask for any amount of memory by a small file, in more ways than can be
looked for beforehand, and a worker that takes all there is gets killed. Under RLIMIT_DATA
(https://man7.org/linux/man-pages/man2/getrlimit.2.html) it is refused memory instead, and gives up.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

STATM = Path("/proc/self/statm")
DATA_PAGES = 5
PAGE_BYTES = resource.getpagesize()


class MemoryBudgets:
    """The blocks of one process that run at the moment; they share the sum of their budgets."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._sizes: list[int] = []
        self._used = 0
        self._allowed = resource.RLIM_INFINITY

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Let the process take `size` bytes more than it has, while the block runs.

        Beyond, allocations fail: in Python with a MemoryError.
        """
        with self._lock:
            if not self._sizes:
                self._used = _data_bytes()
                self._allowed = resource.getrlimit(resource.RLIMIT_DATA)[0]
            self._sizes.append(size)
            self._apply()
        try:
            yield
        finally:
            with self._lock:
                self._sizes.remove(size)
                self._apply()

    def _apply(self) -> None:
        hardest = resource.getrlimit(resource.RLIMIT_DATA)[1]
        allowed = self._allowed
        if self._sizes:
            bounds = (self._used + sum(self._sizes), allowed, hardest)
            allowed = min(bound for bound in bounds if bound != resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_DATA, (allowed, hardest))


def _data_bytes() -> int:
    return int(STATM.read_text(encoding="ascii").split()[DATA_PAGES]) * PAGE_BYTES


BUDGETS = MemoryBudgets()
