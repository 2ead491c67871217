from pathlib import Path

import pytest

from scripts.torchserve.machine import Machine
from scripts.torchserve.worker_plan import (
    MEMORY_OF_A_WAITING_REQUEST,
    MEMORY_OF_A_WORKER,
    MEMORY_OF_LARGE_MAPS,
    MEMORY_OF_THE_SERVER,
    MEMORY_WITH_NCNN,
    QUEUE,
    Profile,
    WorkerPlan,
    fitting_workers,
    memory_of_a_worker,
    plan_workers,
)

AMPLE = 1 << 40
FOUR_CORES = Machine(((0, 4), (1, 5), (2, 6), (3, 7)), None, AMPLE)


def test_for_throughput_each_physical_core_has_a_worker() -> None:
    plan = plan_workers(FOUR_CORES, Profile.THROUGHPUT)

    assert (plan.workers, plan.threads) == (4, 1)
    assert plan.slots == ((0, 4), (1, 5), (2, 6), (3, 7))


def test_for_latency_one_worker_has_every_core() -> None:
    plan = plan_workers(FOUR_CORES, Profile.LATENCY)

    assert (plan.workers, plan.threads) == (1, 4)
    assert plan.slots == ((0, 4, 1, 5, 2, 6, 3, 7),)


@pytest.mark.parametrize("profile", Profile)
def test_the_user_may_say_how_many(profile: Profile) -> None:
    plan = plan_workers(FOUR_CORES, profile, workers=2)

    assert (plan.workers, plan.threads) == (2, 2)
    assert plan.slots == ((0, 4, 1, 5), (2, 6, 3, 7))


@pytest.mark.parametrize(
    ("cores", "gpus", "workers", "threads"),
    [(1, 1, 1, 1), (4, 1, 2, 2), (16, 1, 8, 2), (64, 1, 8, 8), (64, 4, 32, 2)],
)
def test_for_throughput_workers_beside_gpus_have_two_cores_or_more(
    cores: int, gpus: int, workers: int, threads: int
) -> None:
    machine = Machine(tuple((cpu,) for cpu in range(cores)), None, AMPLE)

    plan = plan_workers(machine, Profile.THROUGHPUT, gpus=gpus)

    assert (plan.workers, plan.threads) == (workers, threads)


def test_for_latency_one_worker_has_the_gpu_and_every_core() -> None:
    plan = plan_workers(FOUR_CORES, Profile.LATENCY, gpus=1)

    assert (plan.workers, plan.threads) == (1, 4)


def test_what_can_not_be_shared_out_evenly_stays_free() -> None:
    plan = plan_workers(FOUR_CORES, Profile.THROUGHPUT, workers=3)

    assert (plan.threads, plan.slots) == (1, ((0, 4), (1, 5), (2, 6)))


def test_more_workers_than_cores_share_them_all_and_are_warned_of() -> None:
    plan = plan_workers(FOUR_CORES, Profile.THROUGHPUT, workers=5)

    assert (plan.workers, plan.threads, plan.slots) == (5, 1, ())
    assert plan.warning(5) == (
        "5 worker(s) with 1 thread(s) each slow each other down on 4 physical core(s)"
    )


def test_a_plan_that_fits_has_no_warning() -> None:
    assert plan_workers(FOUR_CORES, Profile.THROUGHPUT).warning(4) is None


def test_workers_beyond_a_plan_of_many_threads_are_told_the_way_out() -> None:
    warning = plan_workers(FOUR_CORES, Profile.LATENCY).warning(2)

    assert warning is not None
    assert "make serve WORKERS=2" in warning


@pytest.mark.parametrize(("quota", "workers"), [(2.9, 2), (0.5, 1), (4, 4), (8, 4)])
def test_a_containers_time_caps_the_cores(quota: float, workers: int) -> None:
    machine = Machine(FOUR_CORES.cores, quota, AMPLE)

    assert plan_workers(machine, Profile.THROUGHPUT).workers == workers
    assert plan_workers(machine, Profile.LATENCY).threads == workers


@pytest.mark.parametrize(("quota", "pinned"), [(2, False), (4, True)])
def test_neighbours_with_a_part_of_the_time_do_not_all_take_the_same_cores(
    quota: float, pinned: bool
) -> None:
    plan = plan_workers(Machine(FOUR_CORES.cores, quota, AMPLE), Profile.THROUGHPUT)

    assert bool(plan.slots) == pinned


@pytest.mark.parametrize(("fitting", "workers"), [(2, 2), (0, 1), (9, 4)])
def test_no_more_workers_than_memory_holds(fitting: int, workers: int) -> None:
    memory = MEMORY_OF_THE_SERVER + fitting * MEMORY_OF_A_WORKER
    machine = Machine(FOUR_CORES.cores, None, memory)

    assert plan_workers(machine, Profile.THROUGHPUT).workers == workers


def test_larger_workers_are_fewer_and_leave_less_for_the_queue() -> None:
    memory = MEMORY_OF_THE_SERVER + 4 * MEMORY_OF_A_WORKER
    machine = Machine(FOUR_CORES.cores, None, memory)

    plan = plan_workers(machine, Profile.THROUGHPUT, memory=2 * MEMORY_OF_A_WORKER)

    assert (plan.workers, plan.threads, plan.queue) == (2, 2, QUEUE)


@pytest.mark.parametrize(
    ("runtime", "variant", "memory"),
    [
        ("ncnn", "u2net", MEMORY_WITH_NCNN),
        ("openvino", "u2net", MEMORY_OF_A_WORKER),
        ("ncnn", "isnet", MEMORY_WITH_NCNN + MEMORY_OF_LARGE_MAPS),
        ("openvino", "isnet", MEMORY_OF_A_WORKER + MEMORY_OF_LARGE_MAPS),
    ],
)
def test_a_worker_is_as_large_as_runtime_and_network_make_it(
    runtime: str, variant: str, memory: int
) -> None:
    assert memory_of_a_worker(runtime, variant) == memory


@pytest.mark.parametrize(("free", "workers"), [(0, 1), (15, 1), (20, 2), (95, 4)])
def test_one_more_model_gets_the_workers_that_memory_is_left_for(free: int, workers: int) -> None:
    assert fitting_workers(4, free, 10) == workers


FOLDERS = Path("cpus"), Path("holds")


@pytest.mark.parametrize("workers", [None, 2, 5])
def test_the_environment_tells_the_whole_plan(workers: int | None) -> None:
    plan = plan_workers(FOUR_CORES, Profile.THROUGHPUT, workers)

    assert WorkerPlan.from_environment(plan.environment(*FOLDERS)) == plan


@pytest.mark.parametrize("left_out", ["CUTOUT_CPU_SLOTS", "CUTOUT_CORES", "CUTOUT_PROFILE"])
def test_without_one_of_its_parts_there_is_no_plan(left_out: str) -> None:
    environment = plan_workers(FOUR_CORES, Profile.THROUGHPUT).environment(*FOLDERS)
    del environment[left_out]

    assert WorkerPlan.from_environment(environment) is None


def test_a_profile_that_is_not_known_is_no_plan() -> None:
    environment = plan_workers(FOUR_CORES, Profile.THROUGHPUT).environment(*FOLDERS)

    assert WorkerPlan.from_environment({**environment, "CUTOUT_PROFILE": "speed"}) is None


def test_a_person_is_told_the_plan() -> None:
    assert str(plan_workers(FOUR_CORES, Profile.LATENCY)) == (
        "1 worker(s) with 4 thread(s), each on 4 core(s) of its own, PROFILE=latency"
    )


@pytest.mark.parametrize(("workers", "queue"), [(1, 16), (2, 16), (4, 32)])
def test_the_queue_grows_with_the_workers_and_is_never_short(workers: int, queue: int) -> None:
    plan = plan_workers(FOUR_CORES, Profile.THROUGHPUT, workers=workers)

    assert plan.queue == queue
    assert plan.heap_bytes == queue * MEMORY_OF_A_WAITING_REQUEST


def test_the_queue_is_no_longer_than_the_memory_beside_the_workers_holds() -> None:
    workers = MEMORY_OF_THE_SERVER + 4 * MEMORY_OF_A_WORKER
    machine = Machine(FOUR_CORES.cores, None, workers + 5 * MEMORY_OF_A_WAITING_REQUEST)

    assert plan_workers(machine, Profile.THROUGHPUT).queue == QUEUE + 5
    full = Machine(FOUR_CORES.cores, None, workers)
    assert plan_workers(full, Profile.THROUGHPUT).queue == QUEUE
