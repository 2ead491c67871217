"""The summary of a run: counts of results, faults, the slowest and the largest inputs."""

from collections import Counter
from dataclasses import dataclass, field

from tests.hostile.trial import Outcome

WORST = 5


@dataclass
class Summary:
    """Outcomes so far; more than `seconds` or `megabytes` for one input is a fault."""

    seconds: float
    megabytes: float
    """0: it is not measured."""
    results: Counter[str] = field(default_factory=Counter)
    faults: list[Outcome] = field(default_factory=list)
    known: list[Outcome] = field(default_factory=list)
    """Errors of TorchServe's front end, before any worker."""
    slowest: list[Outcome] = field(default_factory=list)
    largest: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.results[outcome.result] += 1
        too_large = self.megabytes and outcome.megabytes > self.megabytes
        if outcome.fault or outcome.seconds > self.seconds or too_large:
            self.faults.append(outcome)
        elif outcome.result.startswith("5"):
            self.known.append(outcome)
        by_seconds = sorted([*self.slowest, outcome], key=lambda one: -one.seconds)
        self.slowest = by_seconds[:WORST]
        by_megabytes = sorted([*self.largest, outcome], key=lambda one: -one.megabytes)
        self.largest = by_megabytes[:WORST]

    def report(self) -> str:
        """Return the summary in lines of text."""
        lines = [f"{sum(self.results.values())} inputs"]
        lines += [f"  {count:7} {result}" for result, count in self.results.most_common()]
        lines += ["the slowest, in seconds:"]
        lines += [f"  {one.seconds:7.2f} {_named(one)}" for one in self.slowest]
        if self.megabytes:
            lines += ["the largest, in MB beyond the memory before:"]
            lines += [f"  {one.megabytes:7.0f} {_named(one)}" for one in self.largest]
        if self.known:
            lines += ["a 500 before any worker:"]
            lines += [f"  {_named(one)}" for one in self.known]
        lines += [f"{len(self.faults)} faults"]
        lines += [
            f"  {_named(one)}: {one.fault or f'{one.seconds:.1f} s, {one.megabytes:.0f} MB'}"
            for one in self.faults[:50]
        ]
        return "\n".join(lines)


def _named(outcome: Outcome) -> str:
    return f"#{outcome.position} {outcome.name[:70]!r} -> {outcome.result}"
