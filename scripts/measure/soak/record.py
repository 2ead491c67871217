"""The record of a soak, as it is written to disk."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.measure.kit.percentiles import percentile
from scripts.measure.kit.processes import ProcessSample
from scripts.measure.soak.client import Outcome
from scripts.measure.soak.samples import Sample

WINDOW_S = 10.0
# More of them repeat each other.
MOST_PROBLEMS = 100


@dataclass(frozen=True)
class Window:
    """The responses of ``WINDOW_S`` seconds."""

    start: float
    """Seconds since the soak began."""
    statuses: dict[str, int]
    """The number of each; ``0``: the client hung up."""
    milliseconds: dict[str, float]
    """``p50``, ``p95`` and ``p99`` of the responses with status 200; empty without any."""


@dataclass
class Record:
    """One soak. Times are seconds since it began."""

    date: str
    machine: dict[str, str]
    clients: int
    mix: int
    """The number of requests in the mix."""
    seconds: float = 0.0
    """Until the last response; after that the server idles."""
    sent: dict[str, int] = field(default_factory=dict)
    """How often each request of the mix was sent."""
    windows: list[Window] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    mixes: list[float] = field(default_factory=list)
    """When each pass through the mix ended."""
    rollouts: list[tuple[float, float]] = field(default_factory=list)
    idle: list[tuple[float, float]] = field(default_factory=list)
    """When no requests were sent."""
    problems: list[str] = field(default_factory=list)
    """Unexpected responses, failed rollouts and samples that could not be taken."""
    problem_count: int = 0

    @property
    def requests(self) -> int:
        """The number of requests that were sent."""
        return sum(self.sent.values())

    def statuses(self) -> Counter[str]:
        """Count the responses by status."""
        total: Counter[str] = Counter()
        for window in self.windows:
            total.update(window.statuses)
        return total

    def add_problem(self, problem: str) -> None:
        """Add a problem; beyond ``MOST_PROBLEMS`` they are only counted."""
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    def add_outcomes(self, start: float, outcomes: Sequence[Outcome]) -> None:
        """Add the responses of a window that began at `start`."""
        counts = Counter(outcome.name for outcome in outcomes)
        for name, count in counts.items():
            self.sent[name] = self.sent.get(name, 0) + count
        for outcome in outcomes:
            if outcome.problem:
                self.add_problem(f"{start:.0f} s: {outcome.name}: {outcome.problem}")
        good = sorted(each.seconds * 1000 for each in outcomes if each.status == 200)
        shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99} if good else {}
        self.windows.append(
            Window(
                start,
                dict(Counter(str(outcome.status) for outcome in outcomes)),
                {name: percentile(good, share) for name, share in shares.items()},
            )
        )

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Record":
        """Read what ``write`` wrote."""
        fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        fields["windows"] = [Window(**each) for each in fields["windows"]]
        for name in ("rollouts", "idle"):
            fields[name] = [(start, end) for start, end in fields[name]]
        fields["samples"] = [
            Sample(
                **{
                    **each,
                    "processes": {
                        name: ProcessSample(**process)
                        for name, process in each["processes"].items()
                    },
                }
            )
            for each in fields["samples"]
        ]
        return cls(**fields)
