"""Waits for pictures to come into a folder, and tells those that are there whole.

It looks again and again instead of being told: that works on network drives as well, and whether a
file is complete shows only by its coming to rest.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Event

State = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds."""


class FolderWatch:
    """Remembers how the files of the last look were, and which are settled."""

    def __init__(self) -> None:
        self._last: dict[Path, State] = {}
        self._told: dict[Path, State] = {}

    def settled(self, files: list[Path]) -> list[Path]:
        """Return the files that are as they were at the last look, and were not told so yet.

        An empty file is one that is still to be written.
        """
        now = {file: state for file in files if (state := _state(file)) is not None}
        same = [
            file
            for file, state in now.items()
            if state == self._last.get(file) and state != self._told.get(file) and state[0]
        ]
        self._last = now
        self._told = {file: state for file, state in self._told.items() if file in now}
        self._told.update((file, now[file]) for file in same)
        return same

    def forget(self, files: Iterable[Path]) -> None:
        """Tell these files once more."""
        for file in files:
            self._told.pop(file, None)


def watch(
    look: Callable[[], list[Path]], watched: FolderWatch, stopping: Event, interval_s: float
) -> Iterator[list[Path]]:
    """Yield what has settled since the last look, until it is to stop; never an empty list."""
    while not stopping.is_set():
        if settled := watched.settled(look()):
            yield settled
        stopping.wait(interval_s)


def _state(file: Path) -> State | None:
    try:
        found = file.stat()
    except OSError:  # it has been moved away meanwhile
        return None
    return found.st_size, found.st_mtime_ns
