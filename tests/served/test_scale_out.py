"""A gateway in front of several machines, which are network namespaces of this one."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.archive.build import build_archive
from scripts.gateway.keys import DEFAULT_CLIENT, key_of
from scripts.gateway.nginx import Nginx
from scripts.measure.kit.hey import Load, drive
from scripts.measure.kit.request import Request
from scripts.measure.scale_out.namespaces import (
    PUBLIC_PORT,
    SimulatedMachine,
    simulated_machines,
    why_not,
)
from scripts.torchserve.config import ServerError
from tests.conftest import WHEELS
from tests.served.conftest import build_folder

HEY = shutil.which("hey")


@dataclass(frozen=True)
class Fleet:
    """Three machines behind a gateway."""

    front: SimulatedMachine
    machines: list[SimulatedMachine]
    url: str

    def drive(self, picture: Path, requests: int) -> Load:
        """Send a picture again and again, by four clients at once."""
        key = key_of(self.front.build / "gateway" / "keys", DEFAULT_CLIENT)
        request = Request(f"{self.url}/v1.0/removebg", {"X-Api-Key": key}, "image/png", picture)
        return drive(Path(HEY or ""), request, requests, 4, tuple(self.front.inside()))

    def answers(self) -> list[str]:
        """Return the gateway's log: of each request, the machines that it went to."""
        return (self.front.build / "gateway" / "access.log").read_text().splitlines()

    def answered_by(self, machine: SimulatedMachine, since: int = 0) -> int:
        """Return how many requests a machine answered, of those after the first so many."""
        last = [line.rpartition('"')[0].split()[-1] for line in self.answers()[since:]]
        return sum(machine.private_side in each for each in last)


@pytest.fixture(scope="module")
def fleet(networks: dict[str, Path]) -> Iterator[Fleet]:
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    if HEY is None:
        pytest.skip("hey is not here: apt install hey")
    try:
        Nginx.find()
    except ServerError as error:
        pytest.skip(str(error))
    with ExitStack() as stack:
        builds = [stack.enter_context(build_folder()) for _ in range(4)]
        for build in builds[1:]:
            build_archive("u2netp", "1.0", networks["u2netp"], build / "model-store")
        cpus = (None, "0", "0", "0")
        front, *machines = stack.enter_context(simulated_machines(builds, cpus))
        pool = stack.enter_context(ThreadPoolExecutor(len(machines)))
        stack.callback(lambda: list(pool.map(SimulatedMachine.stop, (front, *machines))))
        list(pool.map(lambda machine: machine.serve("u2netp", WHEELS), machines))
        url = front.start_gateway("u2netp", machines, PUBLIC_PORT)
        yield Fleet(front, machines, url)


def test_a_machine_is_unplugged_and_no_request_fails(fleet: Fleet, photo_files: list[Path]) -> None:
    unplugged, *others = fleet.machines
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(fleet.drive, photo_files[1], 24)
        while fleet.answered_by(unplugged) < 2:
            time.sleep(0.05)
        unplugged.plug(into_the_network=False)
        before = len(fleet.answers())
        outcome = load.result()

    assert (outcome.errors, len(outcome.latencies_ms)) == (0, 24)
    assert all(fleet.answered_by(machine, before) > 0 for machine in others)
    # What it had taken, at most a request of each client, went on to another machine.
    assert any(f"{unplugged.private_side}, " in line for line in fleet.answers()[before:])

    unplugged.plug(into_the_network=True)
    before = len(fleet.answers())
    while not fleet.answered_by(unplugged, before):
        assert fleet.drive(photo_files[1], 4).errors == 0


def test_what_one_machine_can_not_another_can(fleet: Fleet, photo_files: list[Path]) -> None:
    empty, *_ = fleet.machines
    empty.run("unregister", "--model", "u2netp")
    before = len(fleet.answers())

    outcome = fleet.drive(photo_files[1], 8)

    assert outcome.errors == 0
    assert any(f"{empty.private_side}, " in line for line in fleet.answers()[before:])
    assert fleet.answered_by(empty, before) == 0


def test_a_machine_lets_its_gateway_in_and_nobody_else(fleet: Fleet) -> None:
    machine, stranger, _ = fleet.machines
    asking = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}")
    address = f"http://{machine.private_side}/predictions/none"

    statuses = [
        subprocess.run(each.inside(*asking, address), capture_output=True, text=True, check=True)
        for each in (fleet.front, stranger)
    ]

    assert [done.stdout for done in statuses] == ["404", "403"]
