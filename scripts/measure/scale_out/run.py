"""Measure what it costs to spread workers over machines: N on one, and N machines with one each.

Both are behind a gateway and take turns, so that whatever else runs here falls on both. The
machines are namespaces of this one; each has as many cores as workers.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import psutil

from scripts.common.options import OptionParser, positive
from scripts.common.paths import PHOTO
from scripts.gateway.keys import DEFAULT_CLIENT, key_of
from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.hey import drive, find_hey
from scripts.measure.kit.lock import alone
from scripts.measure.kit.request import Request
from scripts.measure.scale_out.namespaces import (
    PUBLIC_PORT,
    SimulatedMachine,
    simulated_machines,
    why_not,
)
from scripts.torchserve.config import ServerError

CLIENTS_OF_A_WORKER = 2
TOLERATED = 0.10
SECOND_PORT = PUBLIC_PORT + 1


@dataclass(frozen=True)
class Arrangement:
    """Machines behind a gateway, and what is sent there."""

    name: str
    front: SimulatedMachine
    machines: Sequence[SimulatedMachine]
    request: Request

    def cpu_s(self) -> float:
        """Return the CPU seconds that machines and gateway have taken so far."""
        seconds = 0.0
        for machine in (self.front, *self.machines):
            for pid in machine.processes():
                with suppress(psutil.NoSuchProcess):
                    times = psutil.Process(pid).cpu_times()
                    seconds += times.user + times.system
        return seconds


@dataclass(frozen=True)
class Turn:
    """The result of one turn."""

    rate: float
    """Pictures a second."""
    cpu_s: float
    """CPU seconds a picture. Other work on the machine hardly changes it."""


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
        raise ServerError(f"WORKERS={workers} needs as many cores; this machine has {len(cores)}")
    cpus = (None, ",".join(cores), *cores)
    wheels = arguments.wheels or arguments.build / "wheels"
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
            machine.serve(arguments.model, wheels.resolve())
            print(f"{machine.address} serves on core {machine.cpus}", flush=True)
        yield (
            _arrange(f"1 machine, {workers} workers", fronts[0], [one], arguments, PUBLIC_PORT),
            _arrange(f"{workers} machines, a worker each", fronts[1], many, arguments, SECOND_PORT),
        )


def _arrange(
    name: str,
    front: SimulatedMachine,
    machines: Sequence[SimulatedMachine],
    arguments: argparse.Namespace,
    port: int,
) -> Arrangement:
    url = front.start_gateway(arguments.model, machines, port)
    key = key_of(front.build / "gateway" / "keys", DEFAULT_CLIENT)
    request = Request(f"{url}/v1.0/removebg", {"X-Api-Key": key}, "image/png", PHOTO)
    return Arrangement(name, front, machines, request)


def take_turn(arrangement: Arrangement, hey: Path, requests: int, clients: int) -> Turn:
    """Send so many pictures, and print the result.

    Raises:
        BenchError: a request fails.
    """
    before = arrangement.cpu_s()
    load = drive(hey, arrangement.request, requests, clients, arrangement.front.inside())
    if load.errors:
        raise BenchError(f"{arrangement.name}: {load.errors} requests failed")
    turn = Turn(load.rate, (arrangement.cpu_s() - before) / requests)
    line = f"{turn.rate:.2f} pictures a second, {turn.cpu_s:.3f} CPU seconds each"
    print(f"{arrangement.name}: {line}", flush=True)
    return turn


def measure(arguments: argparse.Namespace) -> tuple[float, float]:
    """Return the many's rate and CPU time over the one's, each the median of the pairs.

    Raises:
        ServerError: the machines can't be started.
        BenchError: a request fails, or there is no load generator.
    """
    hey = find_hey(arguments.build / "bench" / "packages")
    clients = CLIENTS_OF_A_WORKER * arguments.workers
    pairs = []
    with arrangements(arguments, arguments.workers) as both, alone(arguments.lock):
        for arrangement in both:
            take_turn(arrangement, hey, arguments.turn, clients)
        print("warm", flush=True)
        for number in range(arguments.rounds):
            turns = {
                arrangement.name: take_turn(arrangement, hey, arguments.turn, clients)
                for arrangement in both[:: -1 if number % 2 else 1]
            }
            pairs.append([turns[arrangement.name] for arrangement in both])
    rate = median(many.rate / one.rate for one, many in pairs)
    return rate, median(many.cpu_s / one.cpu_s for one, many in pairs)


def scale_out(line: Sequence[str]) -> None:
    """Measure workers on one machine against as many machines."""
    parser = OptionParser("scale-out", "Measure one machine against several; needs root.")
    parser.take("build", "model", "wheels", "lock", workers=2)
    parser.add_argument("--rounds", type=positive, default=9)
    parser.add_argument("--turn", type=positive, default=16, help="requests in a measurement")
    arguments = parser.parse_args(line)
    if (reason := why_not()) is not None:
        raise BenchError(reason)
    rate, cpu = measure(arguments)
    met = "within" if abs(rate - 1) <= TOLERATED else "NOT within"
    print(f"spread over machines: {rate:.3f} of one machine's rate, {met} {TOLERATED:.0%};")
    print(f"{cpu:.3f} of its CPU time a picture. Where others load this machine, look at that one:")
    print("Linux shares a busy CPU out among sessions, of which the many have more.")
