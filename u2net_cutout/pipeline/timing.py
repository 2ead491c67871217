"""The duration of each stage of one request, as in a ``Server-Timing`` header.

Format: https://www.w3.org/TR/server-timing/. Knows names and clocks only.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class StageTiming:
    """Milliseconds of each stage, in the order in which they were measured."""

    milliseconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Time what happens inside, and add it to the stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, (time.perf_counter() - start) * 1000)

    def add(self, stage: str, milliseconds: float) -> None:
        """Add time to a stage, of which the request may have only a share."""
        self.milliseconds[stage] = self.milliseconds.get(stage, 0) + milliseconds

    @property
    def header(self) -> str:
        """The header's value: ``decode;dur=7.4, inference;dur=691.2``."""
        return ", ".join(f"{stage};dur={spent:.1f}" for stage, spent in self.milliseconds.items())
