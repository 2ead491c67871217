"""Where the workers of a real server compute, by the profile it is started with."""

import os
import signal
import time
from typing import Any

import psutil
import pytest

from scripts.lifecycle.start import start_server
from scripts.torchserve.config import ServerConfig
from scripts.torchserve.machine import Machine
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.worker_plan import Profile, plan_workers
from tests.conftest import WHEELS
from tests.served.conftest import make

MACHINE = Machine.here()
CPUS = sorted(os.sched_getaffinity(0))

two_cores = pytest.mark.skipif(len(MACHINE.cores) < 2, reason="needs two cores")
unlimited = pytest.mark.skipif(MACHINE.quota is not None, reason="the container shares its CPUs")


def workers(api: ManagementApi) -> dict[int, dict[str, Any]]:
    """What each worker tells of itself, by its process; any free one answers the question."""
    pids = {worker["pid"] for worker in api.describe("u2netp")["workers"]}
    told: dict[int, dict[str, Any]] = {}
    for _ in range(100):
        worker = api.customized("u2netp", "1.0")["worker"]
        told[worker["process"]] = worker
        if set(told) == pids:
            break
    return told


def allowed_cpus(pid: int) -> list[list[int]]:
    """The CPUs that each thread of a process may run on, as the kernel has them."""
    threads = [thread.id for thread in psutil.Process(pid).threads()]
    return [sorted(os.sched_getaffinity(thread)) for thread in threads]


@two_cores
@unlimited
def test_for_throughput_each_worker_has_cores_of_its_own_and_keeps_them_for_its_successor(
    second: ServerConfig,
) -> None:
    plan = plan_workers(MACHINE, Profile.THROUGHPUT, workers=2)
    start_server(second, WHEELS, "u2netp", "1.0", plan)
    api = ManagementApi(second)

    first = workers(api)

    assert sorted(worker["slot"] for worker in first.values()) == [0, 1]
    for pid, worker in first.items():
        assert (worker["profile"], worker["workers"]) == ("throughput", 2)
        assert worker["threads"] == plan.threads
        assert worker["cpus"] == sorted(plan.slots[worker["slot"]])
        assert all(cpus == worker["cpus"] for cpus in allowed_cpus(pid))

    victim, survivor = first
    os.kill(victim, signal.SIGKILL)
    while victim in {worker["pid"] for worker in api.describe("u2netp")["workers"]}:
        time.sleep(0.2)
    api.wait_until_ready("u2netp", "1.0", 2)

    successors = workers(api)
    (successor,) = set(successors) - {survivor}
    assert successors[survivor] == first[survivor]
    assert successors[successor] == {**first[victim], "process": successor}


@unlimited
def test_for_latency_one_worker_has_every_core(second: ServerConfig) -> None:
    start_server(second, WHEELS, "u2netp", "1.0", plan_workers(MACHINE, Profile.LATENCY))

    ((pid, worker),) = workers(ManagementApi(second)).items()

    assert (worker["profile"], worker["workers"], worker["slot"]) == ("latency", 1, 0)
    assert worker["threads"] == len(MACHINE.cores)
    assert worker["cpus"] == CPUS
    assert all(cpus == CPUS for cpus in allowed_cpus(pid))


def test_the_status_tells_the_plan_and_scaling_beyond_it_warns(second: ServerConfig) -> None:
    plan = plan_workers(MACHINE, Profile.LATENCY)
    start_server(second, WHEELS, "u2netp", "1.0", plan)
    build = second.servers.parent

    scaled = make(build, second.port, "scale", "MODEL=u2netp", "WORKERS=2")
    status = make(build, second.port, "status").stdout
    again = make(build, second.port, "scale", "MODEL=u2netp")

    assert f"  plan     {plan}\n" in status
    assert " cores " in status
    assert "slow each other down" in scaled.stderr
    assert (again.stdout.strip(), again.stderr) == ("u2netp: 1 worker(s) READY", "")
