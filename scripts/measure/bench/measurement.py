"""Measurements: the servers of a case take turns under load."""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.measure.bench.cases import Case, Turn
from scripts.measure.kit.hey import Load, drive
from scripts.measure.kit.lock import alone
from scripts.measure.kit.photos import Picture
from scripts.measure.kit.processes import MOST_OTHER_LOAD, WORKER, OtherLoad, peak_memory
from scripts.measure.kit.request import Request, check_cutout, send
from scripts.measure.kit.servers import Server

TRIES = 2


@dataclass(frozen=True)
class Measurement:
    """One turn of one server. Times are milliseconds where not stated; memory is PSS."""

    case: str
    round: int
    server: str
    format: str
    edges: str
    label: str
    picture: str
    concurrency: int
    requests: int
    """Responses with status 200."""
    errors: int
    seconds: float
    rate: float
    p50: float
    p95: float
    p99: float
    response_bytes: int
    cpu_s: float
    """CPU seconds a picture, of all the server's processes."""
    worker_cpu_s: float
    """Of TorchServe's workers among them; 0 of other servers."""
    pss_bytes: int
    other_load: float
    """Share of all cores' time that other processes took meanwhile."""

    @classmethod
    def of(cls, case: Case, number: int, turn: Turn, **figures: Any) -> "Measurement":
        """Record a turn of a round; `figures` are the other fields."""
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
        """Whether any response was 200; without one there are no rate and no percentiles."""
        return self.rate > 0


def requests_for(seconds: float, rate: float, concurrency: int) -> int:
    """Return how many requests take about `seconds`: a multiple of `concurrency`."""
    return concurrency * max(1, math.ceil(seconds * rate / concurrency))


def measure_case(
    case: Case,
    servers: dict[str, Server],
    picture: Picture,
    hey: Path,
    lock: Path | None,
) -> Iterator[Measurement]:
    """Let the servers take turns, every other round in reverse order; yield each turn as it ends.

    A turn is repeated once if other processes took more than ``MOST_OTHER_LOAD`` meanwhile.

    Raises:
        BenchError: a server does not respond, or with something else than the cutout.
    """
    rates: dict[Turn, float] = {}
    sizes: dict[Turn, int] = {}
    for number in range(1, case.rounds + 1):
        with alone(lock):
            for turn in case.turns[:: 1 if number % 2 else -1]:
                server = servers[turn.server]
                request = server.request(picture, turn.options)
                if turn not in rates:
                    start = time.monotonic()
                    sizes[turn] = check_cutout(send(request), picture, turn.format)
                    took = time.monotonic() - start
                    # One that is as slow as a whole turn is warm by now.
                    rates[turn] = (
                        1 / took
                        if took > case.seconds
                        else drive(hey, request, case.concurrency, case.concurrency).rate
                    )
                count = requests_for(case.seconds, rates[turn], case.concurrency)
                for _ in range(TRIES):
                    load, costs = _load(server, hey, request, count, case.concurrency)
                    if costs.other_load <= MOST_OTHER_LOAD:
                        break
                rates[turn] = load.rate
                yield _measurement(case, number, turn, sizes[turn], load, costs)


@dataclass(frozen=True)
class Costs:
    """What a server took during a load."""

    cpu_s: float
    worker_cpu_s: float
    pss_bytes: int
    other_load: float


def _load(
    server: Server, hey: Path, request: Request, count: int, concurrency: int
) -> tuple[Load, Costs]:
    tree = server.tree()
    before = tree.cpu_s(), tree.cpu_s(WORKER)
    others = OtherLoad(tree)
    with peak_memory(tree) as peak:
        load = drive(hey, request, count, concurrency)
    after = tree.cpu_s(), tree.cpu_s(WORKER)
    spent = after[0] - before[0], after[1] - before[1]
    return load, Costs(*spent, peak.pss_bytes, others.share())


def _measurement(
    case: Case, number: int, turn: Turn, response_bytes: int, load: Load, costs: Costs
) -> Measurement:
    responses = max(1, len(load.latencies_ms))
    return Measurement.of(
        case,
        number,
        turn,
        requests=len(load.latencies_ms),
        errors=load.errors,
        seconds=load.seconds,
        rate=load.rate,
        p50=load.percentile(0.5),
        p95=load.percentile(0.95),
        p99=load.percentile(0.99),
        response_bytes=response_bytes,
        cpu_s=costs.cpu_s / responses,
        worker_cpu_s=costs.worker_cpu_s / responses,
        pss_bytes=costs.pss_bytes,
        other_load=costs.other_load,
    )
