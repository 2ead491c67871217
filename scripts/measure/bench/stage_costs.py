"""The time of a response by stage: ``Server-Timing`` against the workers' CPU time."""

import re
import statistics
from dataclasses import dataclass

from scripts.measure.bench.cases import Turn
from scripts.measure.kit.our_server import Product
from scripts.measure.kit.photos import Picture
from scripts.measure.kit.processes import WORKER
from scripts.measure.kit.request import send

# The handler's name of the network's stage.
NETWORK = "inference"
REQUESTS = 15
STAGE = re.compile(r"([\w-]+);dur=([\d.]+)")


@dataclass(frozen=True)
class StageCosts:
    """One request at a time, on a worker of one thread, whose wall time is its CPU time.

    That holds in the throughput profile only.
    """

    label: str
    stages_ms: dict[str, float]
    """The median of each stage."""
    worker_cpu_ms: float
    """CPU time of the workers, a picture."""

    @property
    def outside_share(self) -> float:
        """The share of the workers' CPU time that is not the network's."""
        return 1 - self.stages_ms[NETWORK] / self.worker_cpu_ms


def parse_stages(header: str) -> dict[str, float]:
    """Read a ``Server-Timing`` header: milliseconds by stage."""
    return {name: float(spent) for name, spent in STAGE.findall(header)}


def measure_stages(server: Product, picture: Picture, turn: Turn) -> StageCosts:
    """Send a running server one picture after another.

    Raises:
        BenchError: it does not respond with 200.
    """
    request = server.request(picture, turn.options)
    send(request)
    tree = server.tree()
    before = tree.cpu_s(WORKER)
    timings = [parse_stages(send(request).headers["Server-Timing"]) for _ in range(REQUESTS)]
    spent = tree.cpu_s(WORKER) - before
    medians = {name: statistics.median(timing[name] for timing in timings) for name in timings[0]}
    return StageCosts(turn.label, medians, spent * 1000 / REQUESTS)
