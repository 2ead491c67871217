"""The results of one run, as JSON, and the ratios in them."""

import dataclasses
import json
import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scripts.measure.bench.mask_error import MaskError
from scripts.measure.bench.measurement import Measurement
from scripts.measure.bench.stage_costs import StageCosts
from scripts.measure.kit.photos import Picture


@dataclass(frozen=True)
class Ratios:
    """One server against another: a ratio for each round in which both had good responses."""

    values: tuple[float, ...]
    errors: int = 0
    """Requests that failed, in all the rounds of both."""

    @property
    def median(self) -> float:
        """The middle one; NaN where there is none."""
        return statistics.median(self.values) if self.values else math.nan

    def __str__(self) -> str:
        if not self.values:
            return "no good responses"
        if len(self.values) == 1:
            return f"{self.median:.2f}"
        return f"{self.median:.2f} ({min(self.values):.2f} to {max(self.values):.2f})"


Key = Callable[[Measurement], bool]


@dataclass
class Results:
    """The results of one run."""

    mode: str
    date: str
    machine: dict[str, str]
    peers: dict[str, str]
    network_operations: dict[str, int]
    peaks: dict[str, float] = field(default_factory=dict)
    """Operations a second, by precision."""
    pictures: list[Picture] = field(default_factory=list)
    mask_pictures: list[Picture] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    stages: list[StageCosts] = field(default_factory=list)
    masks: dict[str, MaskError] = field(default_factory=dict)
    """Against float32, by model and precision."""
    seconds_to_ready: list[float] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    """What could not be measured, by case or server, and why."""
    served: dict[str, dict[str, str]] = field(default_factory=dict)
    """The settings that our servers report, by server."""

    def of(self, case: str, label: str) -> list[Measurement]:
        """Return a contender's rounds in a case, in their order."""
        found = [m for m in self.measurements if m.case == case and m.label == label]
        return sorted(found, key=lambda m: m.round)

    def labels(self, case: str) -> list[str]:
        """Return the contenders of a case, in the order of their first turns."""
        return list(dict.fromkeys(m.label for m in self.measurements if m.case == case))

    def cases(self) -> list[str]:
        """Return the cases, in the order in which they ran."""
        return list(dict.fromkeys(m.case for m in self.measurements))

    def ratios(
        self, case: str, label: str, against: str, figure: Callable[[Measurement], float]
    ) -> Ratios | None:
        """Divide a figure of one contender by another's of the same round; None: no such rounds."""
        others = {m.round: m for m in self.of(case, against)}
        pairs = [(m, others[m.round]) for m in self.of(case, label) if m.round in others]
        values = tuple(figure(m) / figure(other) for m, other in pairs if m.good and other.good)
        # Of a contender against itself they count once.
        turns = {*(m for m, _ in pairs), *(other for _, other in pairs)}
        return Ratios(values, sum(m.errors for m in turns)) if pairs else None

    def peak_share(self, case: str, label: str, precision: str) -> Ratios | None:
        """Return the share of the machine's peak that the network reaches through the server."""
        turns = self.of(case, label)
        if not turns or precision not in self.peaks:
            return None
        share = self.network_operations["u2net"] / self.peaks[precision]
        values = tuple(m.rate * share for m in turns if m.good)
        return Ratios(values, sum(m.errors for m in turns))

    def published(self) -> "Results":
        """Return the results without the paths of files on this machine."""
        return dataclasses.replace(
            self,
            pictures=[_without_folder(picture) for picture in self.pictures],
            mask_pictures=[_without_folder(picture) for picture in self.mask_pictures],
        )

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Read what ``write`` wrote."""
        content = json.loads(path.read_text(encoding="utf-8"))
        for name, kind in (
            ("pictures", Picture),
            ("mask_pictures", Picture),
            ("measurements", Measurement),
            ("stages", StageCosts),
        ):
            content[name] = [kind(**entry) for entry in content[name]]
        content["masks"] = {name: MaskError(**entry) for name, entry in content["masks"].items()}
        return cls(**content)


def _without_folder(picture: Picture) -> Picture:
    return dataclasses.replace(picture, path=Path(picture.path).name)


def median_of(measurements: Iterable[Measurement], figure: Callable[[Measurement], float]) -> float:
    """Return the median of a figure over the rounds with good responses; NaN without any."""
    figures = [figure(m) for m in measurements if m.good]
    return statistics.median(figures) if figures else math.nan
