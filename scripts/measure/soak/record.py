"""What a soak saw, as it is written to disk."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.measure.soak.client import Outcome
from scripts.measure.soak.samples import ProcessSample, Sample

WINDOW_S = 10.0
# Beyond, they repeat each other.
MOST_PROBLEMS = 100


@dataclass(frozen=True)
class Window:
    """The answers of some seconds."""

    start: float
    """Seconds since the soak began."""
    statuses: dict[str, int]
    """How many of each; ``0``: the client had left."""
    milliseconds: dict[str, float]
    """``p50``, ``p95`` and ``p99`` of the good answers; none without one."""


@dataclass
class Record:
    """One soak. Times are seconds since it began."""

    date: str
    machine: dict[str, str]
    clients: int
    deck: int
    """How many requests a deck has."""
    seconds: float = 0.0
    """Until the last request was answered; after that the server is watched idling."""
    asked: dict[str, int] = field(default_factory=dict)
    """How often each request of the deck was sent."""
    windows: list[Window] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    decks: list[float] = field(default_factory=list)
    """When each deck was done."""
    rollouts: list[tuple[float, float]] = field(default_factory=list)
    rests: list[tuple[float, float]] = field(default_factory=list)
    """When nobody asked."""
    problems: list[str] = field(default_factory=list)
    """Answers that were not due, failed rollouts and samples that could not be taken."""
    problem_count: int = 0

    @property
    def requests(self) -> int:
        """How many were sent."""
        return sum(self.asked.values())

    def statuses(self) -> Counter[str]:
        """Count the answers by status."""
        total: Counter[str] = Counter()
        for window in self.windows:
            total.update(window.statuses)
        return total

    def add_problem(self, problem: str) -> None:
        """Note what should not have been."""
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    def add_outcomes(self, start: float, outcomes: Sequence[Outcome]) -> None:
        """Note the answers of a window that began at `start`."""
        counts = Counter(outcome.name for outcome in outcomes)
        for name, count in counts.items():
            self.asked[name] = self.asked.get(name, 0) + count
        for outcome in outcomes:
            if outcome.problem:
                self.add_problem(f"{start:.0f} s: {outcome.name}: {outcome.problem}")
        good = sorted(each.seconds * 1000 for each in outcomes if each.status == 200)
        shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99} if good else {}
        self.windows.append(
            Window(
                start,
                dict(Counter(str(outcome.status) for outcome in outcomes)),
                {name: good[math.ceil(share * len(good)) - 1] for name, share in shares.items()},
            )
        )

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Record":
        """Read what ``write`` wrote."""
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        told["windows"] = [Window(**each) for each in told["windows"]]
        for name in ("rollouts", "rests"):
            told[name] = [(start, end) for start, end in told.get(name, [])]
        told["samples"] = [
            Sample(
                **{
                    **each,
                    "processes": {
                        name: ProcessSample(**process)
                        for name, process in each["processes"].items()
                    },
                }
            )
            for each in told["samples"]
        ]
        return cls(**told)
