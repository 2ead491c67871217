"""Waits for pictures to arrive or change in a folder, and yields those that are complete.

It scans at intervals instead of subscribing to events: that works on network drives as well, and a
file is known to be complete only by not changing any more.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Event

State = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds."""


class FolderWatch:
    """Keeps the state of the files at the last scan, and which were reported as settled."""

    def __init__(self) -> None:
        self.changed: frozenset[Path] = frozenset()
        """Of the files reported last, those that had been reported with other content."""
        self._last: dict[Path, State] = {}
        self._reported: dict[Path, State | None] = {}

    def settled(self, files: list[Path]) -> list[Path]:
        """Return the files that have not changed since the last scan and were not reported yet.

        An empty file counts as not written yet.
        """
        now = {file: state for file in files if (state := _state(file)) is not None}
        same = [
            file
            for file, state in now.items()
            if state == self._last.get(file) and state != self._reported.get(file) and state[0]
        ]
        self.changed = frozenset(file for file in same if file in self._reported)
        self._last = now
        self._reported = {file: state for file, state in self._reported.items() if file in now}
        self._reported.update((file, now[file]) for file in same)
        return same

    def forget(self, files: Iterable[Path]) -> None:
        """Report these files once more, as new or as changed, whichever they were."""
        for file in files:
            if file in self.changed:
                self._reported[file] = None
            else:
                self._reported.pop(file, None)


def watch(
    scan: Callable[[], list[Path]], watched: FolderWatch, stopping: Event, interval_s: float
) -> Iterator[list[Path]]:
    """Yield the files that have settled since the last scan, until `stopping`; no empty list."""
    while not stopping.is_set():
        if settled := watched.settled(scan()):
            yield settled
        stopping.wait(interval_s)


def _state(file: Path) -> State | None:
    try:
        found = file.stat()
    except OSError:  # it has been moved away meanwhile
        return None
    return found.st_size, found.st_mtime_ns
