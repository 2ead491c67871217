"""The memory of a process after its warm-up, and at its end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from scripts.measure.kit.processes import ProcessSample
from scripts.measure.soak.record import Record

# A worker is warm when it has had the request that takes the most memory. Each of two workers gets
# about half of a mix: after four, one of them has not had a given request with a chance of 1 in 16.
WARM_UP_MIXES = 4
# Windows that are compared, as a share of a process's life after its warm-up.
WINDOW = 0.25
# In each window, one a second. A worker nearly always works on a picture: of fewer samples, the
# lowest tenth is what the smallest pictures take, not what the worker keeps.
FEWEST_SAMPLES = 60
TENTH = 10


@dataclass(frozen=True)
class Life:
    """Samples of a process after its warm-up, and at its end."""

    name: str
    first: list[ProcessSample]
    last: list[ProcessSample]

    def growth(self, figure: Callable[[ProcessSample], float]) -> tuple[float, float]:
        """Return the medians of both windows."""
        return median(map(figure, self.first)), median(map(figure, self.last))

    def kept(self) -> tuple[int, int]:
        """Return the resident memory, in bytes, that it keeps between pictures: its lowest tenth.

        The rest is allocated for each picture and freed. A leak raises what it keeps.
        """
        before, after = (sorted(each.rss for each in some) for some in (self.first, self.last))
        return before[len(before) // TENTH], after[len(after) // TENTH]

    def most(self) -> tuple[int, int]:
        """Return the largest resident memory of each window."""
        return max(each.rss for each in self.first), max(each.rss for each in self.last)


def lives(record: Record) -> Iterator[Life]:
    """Yield each process that lived long enough after its warm-up.

    Samples during a rollout don't count: one version's workers idle then, and the JVM has two
    versions.
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
        later = [at for at in record.mixes if at > born]
        if len(later) < WARM_UP_MIXES:
            continue
        warm = later[WARM_UP_MIXES - 1]
        share = WINDOW * (died - warm)
        first = [sample for at, sample in seen if warm <= at <= warm + share]
        last = [sample for at, sample in seen if at >= died - share]
        if min(len(first), len(last)) >= FEWEST_SAMPLES:
            yield Life(name, first, last)
