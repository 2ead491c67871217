"""Send hostile requests to a running server, over HTTP and over bare sockets.

Exits with 1 if a worker was lost, a response is missing, or the handler or a worker failed.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.common.options import OptionParser
from scripts.torchserve.binding import HOST
from scripts.torchserve.config import ServerConfig
from scripts.torchserve.management_api import ManagementApi
from tests.hostile.corpus import Corpus
from tests.hostile.http.framing import framings
from tests.hostile.http.message import Address, Message, of_row
from tests.hostile.http_trial import send
from tests.hostile.summary import Summary

# At once: the one that a worker has and some that wait, but fewer than the queue holds.
CONNECTIONS = 3
SECONDS = 60.0
REPORT_EVERY_S = 10


def torture(
    config: ServerConfig, model: str, requests: range, seed: int, count: int
) -> tuple[Summary, list[str]]:
    """Send these of `count` requests; return the summary, and the workers that were lost.

    Raises:
        ServerError: there is no such server or model.
    """
    api = ManagementApi(config)
    before = api.describe(model)["workers"]
    summary, shown = Summary(SECONDS, 0), time.monotonic()
    makers = list(_makers(lambda: Address(model, api.token("inference")), count, seed))
    address = (HOST, config.port)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        outcomes = pool.map(lambda number: send(number, makers[number](), address), requests)
        position = requests.start
        try:
            for outcome in outcomes:
                summary.add(outcome)
                position = outcome.position + 1
                if time.monotonic() - shown > REPORT_EVERY_S:
                    shown = time.monotonic()
                    print(f"{position} of {count}, {len(summary.faults)} faults", file=sys.stderr)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            print(f"interrupted: continue with --first {position}", file=sys.stderr)
    return summary, _losses(before, api.describe(model)["workers"])


def _makers(
    address: Callable[[], Address], requests: int, seed: int
) -> Iterator[Callable[[], Message]]:
    """Yield a function that makes each request: all of them would not fit into memory."""
    framed = list(framings(address()))[:requests]
    corpus = Corpus(seed, max(requests - len(framed), 1))
    for message in framed:
        yield lambda message=message: message  # type: ignore[misc]
    for position in range(requests - len(framed)):
        yield lambda position=position: of_row(address(), *corpus[position])  # type: ignore[misc]


def _losses(before: list[dict[str, object]], after: list[dict[str, object]]) -> list[str]:
    pids = {worker["pid"] for worker in after if worker["status"] == "READY"}
    return [f"worker {worker['pid']} is lost" for worker in before if worker["pid"] not in pids]


def peak_megabytes(pid: int) -> float:
    """Return a process's peak resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise OSError(f"process {pid} has no peak memory in /proc")


def server(line: Sequence[str]) -> None:
    """Send hostile requests to the running server; exit with 1 if one is a fault."""
    parser = OptionParser(
        "server", "Send hostile requests to the running server; exit with 1 if one is a fault."
    )
    parser.take("port", "build", "model", "requests", "seed")
    parser.add_argument("--first", type=int, default=0, help="the first request")
    parser.add_argument("--last", type=int, help="the request to stop before")
    arguments = parser.parse_args(line)
    config = ServerConfig.of(arguments.port, arguments.build)
    requests = range(arguments.first, arguments.last or arguments.requests)
    summary, losses = torture(config, arguments.model, requests, arguments.seed, arguments.requests)
    workers = ManagementApi(config).describe(arguments.model)["workers"]
    print(summary.report())
    print("\n".join(losses) or f"{len(workers)} workers, none lost")
    for worker in workers:
        print(f"worker {worker['pid']} took {peak_megabytes(worker['pid']):.0f} MB at most")
    sys.exit(bool(summary.faults or losses))
