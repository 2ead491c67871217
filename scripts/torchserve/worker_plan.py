"""How many workers a server has, with how many threads, on which CPUs. Nothing else decides it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from scripts.torchserve.machine import Machine
from u2net_cutout.network.precision import Runtime
from u2net_cutout.network.variant import VARIANTS
from u2net_cutout.worker.environment import WorkerEnvironment

# The most that a worker was seen to take, so that as many are started as fit: with u2net in
# float32, a photo of 50 megapixels and lossless WebP. ncnn lays weights out for minimal filtering,
# which takes up to four times their place, and needs more for what it calculates meanwhile.
MEMORY_OF_A_WORKER = 2048 << 20
MEMORY_WITH_NCNN = 3072 << 20
# What the maps of a larger picture than U²-Net's take beside that. IS-Net in float32, without a
# server, was seen to take 4280 MiB in all.
USUAL_SIZE = 320
MEMORY_OF_LARGE_MAPS = 1536 << 20
# The same of the JVM: its queue full of pictures of 32 MiB, and as many uploaded in vain.
MEMORY_OF_THE_SERVER = 3584 << 20
# How many requests may wait: as many as `config.properties` says, whose heap holds that many of the
# largest pictures; with more workers so many for each, if the memory that is left holds them. The
# last of them then waits for the time of eight pictures, on any machine.
QUEUE = 16
QUEUE_OF_A_WORKER = 8
# Of the JVM's heap.
MEMORY_OF_A_WAITING_REQUEST = 128 << 20
# Beside a GPU decoding and encoding take the time, on a core for each picture of a batch. Each
# worker has a copy of the network and a context of its own in the GPU's memory.
CORES_BESIDE_A_GPU = 2
WORKERS_OF_A_GPU = 8


class Profile(StrEnum):
    """What the server is to be best at."""

    THROUGHPUT = "throughput"
    """Many requests at once: a worker for each physical core, with one thread; two with GPUs."""
    LATENCY = "latency"
    """One request at a time: a single worker, with a thread on every core."""


@dataclass(frozen=True)
class WorkerPlan:
    """The workers of one server; each model that it serves has as many."""

    profile: Profile
    workers: int
    threads: int
    """Of each worker."""
    cores: int
    """Physical cores that the plan is made for."""
    slots: tuple[tuple[int, ...], ...]
    """The CPUs that each worker keeps to, whole physical cores; none: wherever the kernel likes."""
    queue: int = QUEUE
    """How many requests may wait; each version of a model has such a queue."""

    @property
    def heap_bytes(self) -> int:
        """What the JVM's heap needs to hold the queue, full of the largest pictures."""
        return self.queue * MEMORY_OF_A_WAITING_REQUEST

    def environment(self, slot_folder: Path, hold_folder: Path) -> dict[str, str]:
        """Return the environment variables of the server and its workers under this plan."""
        environment = WorkerEnvironment(
            profile=self.profile,
            workers=self.workers,
            threads=self.threads,
            cores=self.cores,
            queue=self.queue,
            slots=self.slots,
            slot_folder=slot_folder,
            hold_folder=hold_folder,
        )
        # Torch and NumPy's BLAS compute in the worker and know nothing of the plan.
        return {**environment.variables(), "OMP_NUM_THREADS": str(self.threads)}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "WorkerPlan | None":
        """Read the plan back from a server's environment; None if no such plan is in it."""
        try:
            read = WorkerEnvironment.read(environment)
            profile = Profile(read.profile or "")
        except ValueError:
            return None
        if not (read.workers and read.threads and read.cores and read.queue):
            return None
        if read.slots is None:
            return None
        return cls(profile, read.workers, read.threads, read.cores, read.slots, read.queue)

    def warning(self, workers: int) -> str | None:
        """Say what is wrong with that many workers under this plan, if anything is."""
        if workers * self.threads <= self.cores:
            return None
        advice = (
            f": to share them out anew, make serve WORKERS={workers}" if self.threads > 1 else ""
        )
        return (
            f"{workers} worker(s) with {self.threads} thread(s) each slow each other down on "
            f"{self.cores} physical core(s){advice}"
        )

    def __str__(self) -> str:
        pinned = " of its own" if self.slots else ""
        return (
            f"{self.workers} worker(s) with {self.threads} thread(s), each on "
            f"{self.threads} core(s){pinned}, PROFILE={self.profile}"
        )


def memory_of_a_worker(runtime: str, variant: str) -> int:
    """Return the most bytes that a worker takes, by what its archive's metadata says."""
    memory = MEMORY_WITH_NCNN if runtime == Runtime.NCNN.value else MEMORY_OF_A_WORKER
    known = VARIANTS.get(variant)  # the worker says what is wrong with an archive of another
    return memory + (MEMORY_OF_LARGE_MAPS if known and known.size > USUAL_SIZE else 0)


def fitting_workers(planned: int, free: int, memory: int) -> int:
    """Return how many of one more model's planned workers free memory holds; at least 1."""
    return max(1, min(planned, free // memory))


def plan_workers(
    machine: Machine,
    profile: Profile,
    workers: int | None = None,
    gpus: int = 0,
    memory: int = MEMORY_OF_A_WORKER,
) -> WorkerPlan:
    """Share a machine's physical cores out among workers, which compute on `gpus`, if any.

    `memory` is the most that a worker takes, in bytes.

    By default the profile says how many workers there are; with `throughput` no more than the free
    memory holds. `workers` says it instead. Each gets an equal share of the cores, at least one.

    Workers keep to CPUs of their own where every core is ours: not where a container is granted
    less time than it has cores, since its neighbours would then all choose the same ones; and not
    where there are more workers than cores.
    """
    cores = len(machine.cores)
    if machine.quota is not None:
        cores = max(1, min(cores, int(machine.quota)))
    if workers is None:
        fitting = (machine.memory - MEMORY_OF_THE_SERVER) // memory
        wanted = min(cores // CORES_BESIDE_A_GPU, WORKERS_OF_A_GPU * gpus) if gpus else cores
        workers = 1 if profile is Profile.LATENCY else max(1, min(wanted, fitting))
    threads = max(1, cores // workers)
    slots: tuple[tuple[int, ...], ...] = ()
    if cores == len(machine.cores) and workers <= cores:
        slots = tuple(
            tuple(cpu for core in machine.cores[first : first + threads] for cpu in core)
            for first in range(0, workers * threads, threads)
        )
    return WorkerPlan(profile, workers, threads, cores, slots, _queue(machine, workers, memory))


def _queue(machine: Machine, workers: int, memory: int) -> int:
    spare = machine.memory - MEMORY_OF_THE_SERVER - workers * memory
    fitting = QUEUE + spare // MEMORY_OF_A_WAITING_REQUEST
    return max(QUEUE, min(QUEUE_OF_A_WORKER * workers, fitting))
