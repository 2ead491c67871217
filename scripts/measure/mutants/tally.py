"""How many faults were noticed, by module, and which were not."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import Enum


class Outcome(Enum):
    """What became of a fault."""

    SURVIVED = "survived"
    NOTICED = "noticed"
    OVERDUE = "noticed, by no end"
    EQUIVALENT = "makes no difference"


@dataclass
class Tally:
    """The outcomes of a run."""

    outcomes: defaultdict[str, Counter[Outcome]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    survivors: list[str] = field(default_factory=list)

    def count(self, module: str, outcome: Outcome, described: str) -> None:
        """Add the outcome of one fault."""
        self.outcomes[module][outcome] += 1
        if outcome is Outcome.SURVIVED:
            self.survivors.append(described)

    @property
    def share(self) -> float:
        """The share of those noticed among those that make a difference; 1 if there are none."""
        noticed, survived = self._sums(sum(self.outcomes.values(), Counter()))
        return noticed / (noticed + survived) if noticed + survived else 1.0

    def table(self) -> str:
        """Return the figures of each module, and a line for each fault that was not noticed."""
        rows = [f"{'module':40} {'noticed':>9} {'survived':>9} {'no difference':>14}"]
        for module, counts in sorted(self.outcomes.items()):
            noticed, survived = self._sums(counts)
            rows.append(f"{module:40} {noticed:9} {survived:9} {counts[Outcome.EQUIVALENT]:14}")
        rows += ["", *(f"survived: {each}" for each in self.survivors)]
        return "\n".join([*rows, f"noticed: {self.share:.1%} of those that make a difference"])

    @staticmethod
    def _sums(counts: Counter[Outcome]) -> tuple[int, int]:
        return counts[Outcome.NOTICED] + counts[Outcome.OVERDUE], counts[Outcome.SURVIVED]
