"""Offer a server several times what it can do, and say how much it still does."""

import argparse
import asyncio
import os
import shlex
import signal
import sys
from pathlib import Path
from statistics import median

import aiohttp

from bench_errors import BenchError
from bench_machine import served_facts
from management_api import ManagementApi
from measuring import alone
from offered_load import Phase, Send, circle, offer
from product_server import AUTO, Product
from server_config import DEFAULT_PORT, ServerConfig, ServerError
from soak_ask import picture_form
from soak_client import SoakClient
from soak_pictures import soak_pictures
from wheel_data import WheelDataError

# Twice as many as the default plan has workers on two cores: enough for the peak.
CLIENTS_A_WORKER = 2
TIMES = 4
ROUNDS = 3
SECONDS = 12.0
LEAST_GOODPUT = 0.9
PICTURE, OPTIONS = "1.5", {"format": "png"}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="folder of all that is generated")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT + 2100, help="of its own server")
    parser.add_argument("--precision", default=AUTO)
    parser.add_argument("--lock", type=Path, help="file that is locked while it measures")
    return parser.parse_args()


async def _measure(client: SoakClient, send: Send, workers: int) -> list[list[Phase]]:
    clients = CLIENTS_A_WORKER * workers
    await circle("warm-up", send, clients, SECONDS / 2)
    rounds = []
    for _ in range(ROUNDS):
        peak = await circle(f"{clients} clients", send, clients, SECONDS)
        # From the same minute, since other work on the machine comes and goes.
        rate = TIMES * peak.goodput
        offered = await offer(f"{TIMES} x the peak's rate", send, rate, SECONDS)
        more = await circle(f"{TIMES * clients} clients", send, TIMES * clients, SECONDS)
        rounds.append([peak, offered, more])
        for phase in rounds[-1]:
            print(_told(phase), flush=True)
    return rounds


def _told(phase: Phase) -> str:
    counts = ", ".join(f"{count} x {status}" for status, count in sorted(phase.statuses().items()))
    good = "p50 {:.2f} s, p99 {:.2f}, longest {:.2f}".format(
        *(phase.percentile(200, share) for share in (0.5, 0.99, 1))
    )
    refused = "503 after {:.3f} s, p99 {:.3f}".format(
        *(phase.percentile(503, share) for share in (0.5, 0.99))
    )
    words = f"; {refused}" if phase.statuses()[503] else ""
    return f"{phase.name:20} {phase.goodput:5.2f} good/s, {good}{words} ({counts})"


async def _run(api: ManagementApi, model: str, picture: bytes, workers: int) -> bool:
    """Measure; say what came of it, and whether it is good."""
    ask = picture_form("overload", OPTIONS, picture)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        client = SoakClient(api, model, session, api.token("inference"))

        async def send() -> int:
            return (await client.send(ask)).status

        pids = {worker["pid"] for worker in api.describe(model)["workers"]}
        rounds = await _measure(client, send, workers)
    lost = pids - {worker["pid"] for worker in api.describe(model)["workers"]}
    phases = [phase for each in rounds for phase in each]
    strange = {status for phase in phases for status in phase.statuses()} - {200, 503}
    shares = [
        median(each[index].goodput / each[0].goodput for each in rounds)
        for index in range(1, len(rounds[0]))
    ]
    print(
        f"\ngoodput against the peak's, median of {ROUNDS}: {shares[0]:.2f} at {TIMES} x its rate, "
        f"{shares[1]:.2f} with {TIMES} x its clients; {len(lost)} workers lost"
        + (f"; answers with {', '.join(map(str, sorted(strange)))}" if strange else "")
    )
    return min(shares) >= LEAST_GOODPUT and not lost and not strange


def main() -> None:
    """Run the command line; the exit status is 1 where the goodput breaks down."""
    arguments = _parse()
    # However it is ended, the server ends too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    product = Product(
        "overload", arguments.port, arguments.build, arguments.precision, place="overload"
    )
    config = ServerConfig(
        arguments.port,
        product.folder.resolve() / "servers",
        product.folder.resolve() / "model-store",
    )
    try:
        pip_args = shlex.split(os.environ.get("PIP_ARGS", ""))
        picture = soak_pictures(arguments.build / "photos", pip_args)[PICTURE]
        print("starting a server as make serve does", flush=True)
        with alone(arguments.lock):
            product.start()
            try:
                workers = int(served_facts(product.make("status"))["workers"])
                good = asyncio.run(_run(ManagementApi(config), product.model, picture, workers))
            finally:
                product.stop()
    except (BenchError, ServerError, WheelDataError) as error:
        sys.exit(f"make overload: {error}")
    except KeyboardInterrupt:
        sys.exit("make overload: interrupted")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
