"""What a process held after its warm-up, and what it held at its end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from scripts.measure.soak.record import Record
from scripts.measure.soak.samples import ProcessSample

# A worker is warm when it has met the work that takes the most memory. Of a deck each of two
# workers gets about half: after four, a kind of request has passed by one with a chance of 1 in 16.
WARM_UP_DECKS = 4
# Windows that are compared, as a share of a process's life after its warm-up.
WINDOW = 0.25
# Of each window, one a second. A worker nearly always has a picture in hand: of fewer, the lowest
# tenth is what the smallest pictures took that came by, not what it keeps.
FEWEST_SAMPLES = 60
TENTH = 10


@dataclass(frozen=True)
class Life:
    """A process: what it held after its warm-up, and at its end."""

    name: str
    first: list[ProcessSample]
    last: list[ProcessSample]

    def growth(self, figure: Callable[[ProcessSample], float]) -> tuple[float, float]:
        """Return the medians of both windows."""
        return median(map(figure, self.first)), median(map(figure, self.last))

    def kept(self) -> tuple[int, int]:
        """Return the resident memory, in bytes, that is kept whatever the work: its lowest tenth.

        The rest comes and goes with the picture that is in hand. A leak raises what is kept.
        """
        before, after = (sorted(each.rss for each in some) for some in (self.first, self.last))
        return before[len(before) // TENTH], after[len(after) // TENTH]

    def most(self) -> tuple[int, int]:
        """Return the most that was seen."""
        return max(each.rss for each in self.first), max(each.rss for each in self.last)


def lives(record: Record) -> Iterator[Life]:
    """Yield each process that lived long enough after its warm-up.

    A rollout does not count: one version's workers idle then, and the JVM has those of two.
    """
    loaded = [
        sample
        for sample in record.samples
        if sample.at <= record.seconds and len(sample.versions) == 1
    ]
    names = dict.fromkeys(name for sample in loaded for name in sample.processes)
    for name in names:
        seen = [(each.at, each.processes[name]) for each in loaded if name in each.processes]
        born, died = seen[0][0], seen[-1][0]
        later = [deck for deck in record.decks if deck > born]
        if len(later) < WARM_UP_DECKS:
            continue
        warm = later[WARM_UP_DECKS - 1]
        share = WINDOW * (died - warm)
        first = [sample for at, sample in seen if warm <= at <= warm + share]
        last = [sample for at, sample in seen if at >= died - share]
        if min(len(first), len(last)) >= FEWEST_SAMPLES:
            yield Life(name, first, last)
