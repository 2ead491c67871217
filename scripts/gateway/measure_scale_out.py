"""Measure what it costs to spread workers over machines: N on one, and N machines with one each.

Both are behind a gateway and take turns, so that whatever else runs here falls on both. The
machines are namespaces of this one; each has as many cores as workers.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from api_keys import DEFAULT_CLIENT, key_of
from bench_errors import BenchError
from load_generator import Request, drive, find_hey
from measuring import alone
from server_config import ServerError
from simulated_machines import PUBLIC_PORT, SimulatedMachine, simulated_machines, why_not

CLIENTS_OF_A_WORKER = 2
TOLERATED = 0.10

Arrangement = tuple[str, SimulatedMachine, Request]


@contextmanager
def arrangements(
    arguments: argparse.Namespace, workers: int
) -> Iterator[tuple[Arrangement, Arrangement]]:
    """Yield the one machine and the many: what they are, the front, and what to send there.

    Raises:
        ServerError: they can't be started.
    """
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))[:workers]]
    if len(cores) < workers:
        raise ServerError(f"WORKERS={workers} need as many cores; here are {len(cores)}")
    cpus = (None, ",".join(cores), *cores)
    with ExitStack() as stack:
        # The workers' sockets need short paths.
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in (*cpus, None)]
        for folder in folders:
            (folder / "model-store").symlink_to((arguments.build / "model-store").resolve())
        *builds, second = folders
        front, one, *many = stack.enter_context(simulated_machines(builds, cpus))
        fronts = (front, replace(front, build=second))
        for machine in (*fronts, one, *many):
            stack.callback(machine.stop)
        for machine in (one, *many):
            machine.serve(arguments.model, arguments.wheels.resolve())
            print(f"{machine.address} serves on core {machine.cpus}", flush=True)
        yield (
            _arrange(f"1 machine, {workers} workers", fronts[0], [one], arguments, 0),
            _arrange(f"{workers} machines, 1 worker each", fronts[1], many, arguments, 1),
        )


def _arrange(
    name: str,
    front: SimulatedMachine,
    machines: list[SimulatedMachine],
    arguments: argparse.Namespace,
    index: int,
) -> Arrangement:
    url = front.start_gateway(arguments.model, machines, PUBLIC_PORT + index)
    key = key_of(front.build / "gateway" / "keys", DEFAULT_CLIENT)
    address = f"{url}/v1.0/removebg"
    return name, front, Request(address, {"X-Api-Key": key}, "image/png", arguments.image)


def measure(arguments: argparse.Namespace) -> float:
    """Print each turn's rate; return the many's over the one's, the median of the pairs.

    Raises:
        ServerError: the machines can't be started.
        BenchError: a request fails, or there is no load generator.
    """
    hey = find_hey(arguments.build / "bench" / "packages")
    clients = CLIENTS_OF_A_WORKER * arguments.workers
    ratios = []
    with arrangements(arguments, arguments.workers) as both:
        for name, front, request in both:
            drive(hey, request, clients, clients, front.inside())
            print(f"{name}: warm", flush=True)
        for number in range(arguments.rounds):
            rates = {}
            with alone(arguments.lock):
                for name, front, request in both[:: -1 if number % 2 else 1]:
                    load = drive(hey, request, arguments.requests, clients, front.inside())
                    if load.errors:
                        raise BenchError(f"{name}: {load.errors} requests failed")
                    rates[name] = load.rate
                    print(f"{name}: {load.rate:.2f} pictures a second", flush=True)
            one, many = (rates[name] for name, *_ in both)
            ratios.append(many / one)
    return median(ratios)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="folder of all that is generated")
    parser.add_argument("--wheels", type=Path, required=True, help="wheels of the requirements")
    parser.add_argument("--model", required=True)
    parser.add_argument("--image", type=Path, required=True, help="a PNG")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=16, help="of a turn")
    parser.add_argument("--lock", type=Path, help="file that is locked while a pair is measured")
    arguments = parser.parse_args()
    if (reason := why_not()) is not None:
        sys.exit(f"make scale-out: {reason}")
    # However it ends, no machine is left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("make scale-out: ended"))
    try:
        ratio = measure(arguments)
    except (ServerError, BenchError) as error:
        sys.exit(f"make scale-out: {error}")
    met = "within" if abs(ratio - 1) <= TOLERATED else "NOT within"
    print(f"spread over machines: {ratio:.3f} of one machine's rate, {met} {TOLERATED:.0%}")


if __name__ == "__main__":
    main()
