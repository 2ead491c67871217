"""Drives servers in turns, and notes what each turn did and cost."""

import fcntl
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import requests
from PIL import Image

from bench_cases import Case, Turn
from bench_errors import BenchError
from bench_pictures import Picture
from bench_servers import Server
from load_generator import TIMEOUT_S, Load, Request, drive
from management_api import local_session
from process_tree import WORKER, peak_memory


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


@contextmanager
def alone(lock: Path | None) -> Iterator[None]:
    """Hold a file's lock meanwhile, where several measure on one machine."""
    if lock is None:
        yield
        return
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ask(request: Request) -> requests.Response:
    """Send a request once.

    Raises:
        BenchError: the answer is not 200.
    """
    response = local_session().post(
        request.url,
        data=request.body.read_bytes(),
        headers={**request.headers, "Content-Type": request.content_type},
        timeout=TIMEOUT_S,
    )
    if response.status_code != 200:
        raise BenchError(f"{request.url}: {response.status_code} {response.text[:300]}")
    return response


def check_answer(response: requests.Response, picture: Picture, turn: Turn) -> int:
    """Make sure that an answer is this picture's cutout; return how many bytes it has.

    Raises:
        BenchError: it is not.
    """
    content = response.content
    if turn.format == "rgba":
        right = len(content) == picture.width * picture.height * 4
    elif turn.format == "tolist":
        right = content.lstrip().startswith(b"[") and len(content) > 8 * picture.width
    else:
        with Image.open(BytesIO(content)) as image:
            right = image.size == (picture.width, picture.height) and image.mode == "RGBA"
    if not right:
        raise BenchError(f"{turn.label} answers with something else than the cutout")
    return len(content)


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

    Raises:
        BenchError: one does not answer, or answers with something else.
    """
    rates: dict[Turn, float] = {}
    sizes: dict[Turn, int] = {}
    for number in range(1, case.rounds + 1):
        with alone(lock):
            for turn in case.turns[:: 1 if number % 2 else -1]:
                server = servers[turn.server]
                request = server.request(picture, turn)
                if turn not in rates:
                    sizes[turn] = check_answer(ask(request), picture, turn)
                    rates[turn] = drive(hey, request, case.concurrency, case.concurrency).rate
                count = requests_for(case.seconds, rates[turn], case.concurrency)
                load, costs = _load(server, hey, request, count, case.concurrency)
                rates[turn] = load.rate
                yield _measurement(case, number, turn, sizes[turn], load, costs)


@dataclass(frozen=True)
class Costs:
    """What a server spent during a load."""

    cpu_s: float
    worker_cpu_s: float
    pss_bytes: int


def _load(
    server: Server, hey: Path, request: Request, count: int, concurrency: int
) -> tuple[Load, Costs]:
    tree = server.tree()
    before = tree.cpu_s(), tree.cpu_s(WORKER)
    with peak_memory(tree) as peak:
        load = drive(hey, request, count, concurrency)
    after = tree.cpu_s(), tree.cpu_s(WORKER)
    return load, Costs(after[0] - before[0], after[1] - before[1], peak.pss_bytes)


def _measurement(
    case: Case, number: int, turn: Turn, answer_bytes: int, load: Load, costs: Costs
) -> Measurement:
    answered = max(1, len(load.latencies_ms))
    return Measurement(
        case=case.name,
        round=number,
        server=turn.server,
        format=turn.format,
        edges=turn.edges,
        label=turn.label,
        picture=case.picture,
        concurrency=case.concurrency,
        requests=answered,
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
    )
