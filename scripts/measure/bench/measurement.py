"""One turn of one server: what it did and cost."""

from dataclasses import asdict, dataclass
from typing import Any

from scripts.measure.bench.cases import Case, Turn


@dataclass(frozen=True)
class Measurement:
    """One turn of one server. Times in milliseconds unless said; memory is PSS."""

    case: str
    round: int
    server: str
    format: str
    edges: str
    label: str
    picture: str
    concurrency: int
    requests: int
    """Good answers."""
    errors: int
    seconds: float
    rate: float
    p50: float
    p95: float
    p99: float
    answer_bytes: int
    cpu_s: float
    """CPU seconds a picture, of all the server's processes."""
    worker_cpu_s: float
    """Those of TorchServe's workers among them; 0 of other servers."""
    pss_bytes: int
    other_load: float
    """Share of all cores' time that others took meanwhile."""

    @classmethod
    def of(cls, case: Case, number: int, turn: Turn, **figures: Any) -> "Measurement":
        """Note what a turn did in a round; `figures` are the other fields."""
        return cls(
            case=case.name,
            round=number,
            **asdict(turn),
            label=turn.label,
            picture=case.picture,
            concurrency=case.concurrency,
            **figures,
        )

    @property
    def good(self) -> bool:
        """Whether any answer was; without one there are no rate and no percentiles."""
        return self.rate > 0
