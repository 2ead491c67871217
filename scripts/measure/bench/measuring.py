"""Drives servers in turns, and notes what each turn did and cost."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.measure.bench.cases import Case, Turn
from scripts.measure.bench.measurement import Measurement
from scripts.measure.kit.ask import ask, check_answer
from scripts.measure.kit.hey import Load, Request, drive
from scripts.measure.kit.lock import alone
from scripts.measure.kit.other_load import MOST, OtherLoad
from scripts.measure.kit.photos import Picture
from scripts.measure.kit.processes import WORKER, peak_memory
from scripts.measure.kit.servers import Server

TRIES = 2


def requests_for(seconds: float, rate: float, concurrency: int) -> int:
    """Return how many requests take about so long: a multiple of the clients."""
    return concurrency * max(1, math.ceil(seconds * rate / concurrency))


def measure_case(
    case: Case,
    servers: dict[str, Server],
    picture: Picture,
    hey: Path,
    lock: Path | None,
) -> Iterator[Measurement]:
    """Let the servers take turns, every other round in reverse order; yield each turn as it ends.

    A turn in which something else kept the machine busy is repeated once.

    Raises:
        BenchError: one does not answer, or answers with something else.
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
                    sizes[turn] = check_answer(ask(request), picture, turn.format)
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
                    if costs.other_load <= MOST:
                        break
                rates[turn] = load.rate
                yield _measurement(case, number, turn, sizes[turn], load, costs)


@dataclass(frozen=True)
class Costs:
    """What a server spent during a load."""

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
    case: Case, number: int, turn: Turn, answer_bytes: int, load: Load, costs: Costs
) -> Measurement:
    answered = max(1, len(load.latencies_ms))
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
        answer_bytes=answer_bytes,
        cpu_s=costs.cpu_s / answered,
        worker_cpu_s=costs.worker_cpu_s / answered,
        pss_bytes=costs.pss_bytes,
        other_load=costs.other_load,
    )
