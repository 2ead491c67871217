"""Send a server several times what it can serve, and measure how much it still serves."""

import sys
from collections.abc import Sequence
from statistics import median

from scripts.common.options import parse
from scripts.measure.kit.host import served_facts
from scripts.measure.kit.lock import alone
from scripts.measure.kit.our_server import AUTO, Product
from scripts.measure.soak.client import SoakClient
from scripts.measure.soak.load import MOST_IN_FLIGHT, Phase, Send, closed_loop, open_loop
from scripts.measure.soak.pictures import soak_pictures
from scripts.measure.soak.request import picture_form
from scripts.torchserve.config import DEFAULT_PORT, ServerConfig
from scripts.torchserve.management_api import ManagementApi

# Twice as many as the default plan has workers on two cores: enough for the peak.
CLIENTS_PER_WORKER = 2
TIMES = 4
ROUNDS = 3
SECONDS = 12.0
LEAST_GOODPUT = 0.9
PICTURE, OPTIONS = "1.5", {"format": "png"}


def _measure(send: Send, workers: int) -> list[list[Phase]]:
    clients = CLIENTS_PER_WORKER * workers
    closed_loop("warm-up", send, clients, SECONDS / 2)
    rounds = []
    for _ in range(ROUNDS):
        peak = closed_loop(f"{clients} clients", send, clients, SECONDS)
        # From the same minute: other work on the machine comes and goes.
        rate = TIMES * peak.goodput
        at_rate = open_loop(f"{TIMES} x the peak's rate", send, rate, SECONDS)
        more = closed_loop(f"{TIMES * clients} clients", send, TIMES * clients, SECONDS)
        rounds.append([peak, at_rate, more])
        for phase in rounds[-1]:
            print(_line(phase), flush=True)
    return rounds


def _line(phase: Phase) -> str:
    counts = ", ".join(f"{count} x {status}" for status, count in sorted(phase.statuses().items()))
    good = "p50 {:.2f} s, p99 {:.2f}, longest {:.2f}".format(
        *(phase.percentile(200, share) for share in (0.5, 0.99, 1))
    )
    refused = "503 after {:.3f} s, p99 {:.3f}".format(
        *(phase.percentile(503, share) for share in (0.5, 0.99))
    )
    words = f"; {refused}" if phase.statuses()[503] else ""
    return f"{phase.name:20} {phase.goodput:5.2f} good/s, {good}{words} ({counts})"


def _run(api: ManagementApi, model: str, picture: bytes, workers: int) -> bool:
    """Measure, print the result, and return whether the server passes."""
    request = picture_form("overload", OPTIONS, picture)
    client = SoakClient(api, model, api.token("inference"), MOST_IN_FLIGHT)
    pids = {worker["pid"] for worker in api.describe(model)["workers"]}
    rounds = _measure(lambda: client.send(request).status, workers)
    lost = pids - {worker["pid"] for worker in api.describe(model)["workers"]}
    phases = [phase for each in rounds for phase in each]
    unexpected = {status for phase in phases for status in phase.statuses()} - {200, 503}
    shares = [
        median(each[index].goodput / each[0].goodput for each in rounds)
        for index in range(1, len(rounds[0]))
    ]
    print(
        f"\ngoodput against the peak's, median of {ROUNDS}: {shares[0]:.2f} at {TIMES} x its rate, "
        f"{shares[1]:.2f} with {TIMES} x its clients; {len(lost)} workers lost"
        + (f"; responses with {', '.join(map(str, sorted(unexpected)))}" if unexpected else "")
    )
    return min(shares) >= LEAST_GOODPUT and not lost and not unexpected


def overload(line: Sequence[str]) -> None:
    """Send a server four times what it can serve; exit with 1 if the goodput breaks down."""
    arguments = parse(
        "overload",
        "Send a server four times what it can serve.",
        line,
        "build",
        "lock",
        "pip-args",
        port=DEFAULT_PORT + 2100,
        precision=AUTO,
    )
    product = Product(
        "overload", arguments.port, arguments.build, arguments.precision, place="overload"
    )
    config = ServerConfig.of(arguments.port, product.folder)
    picture = soak_pictures(arguments.build / "photos", arguments.pip_args)[PICTURE]
    print("starting a server as make serve does", flush=True)
    with alone(arguments.lock):
        product.start()
        try:
            workers = int(served_facts(product.status())["workers"])
            good = _run(ManagementApi(config), product.model, picture, workers)
        finally:
            product.stop()
    sys.exit(0 if good else 1)
