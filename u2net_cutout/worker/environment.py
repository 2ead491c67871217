"""The environment variables through which ``make serve`` passes settings to its workers.

The server's own commands read them back from its process, also those of another version: names and
formats stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WorkerEnvironment:
    """The settings of a worker; None: not set, as in a TorchServe that was started by hand."""

    threads: int | None = None
    """How many threads of the worker may compute at a time."""
    slots: tuple[tuple[int, ...], ...] | None = None
    """The CPUs of each planned worker; empty: no worker keeps to CPUs of its own."""
    profile: str | None = None
    workers: int | None = None
    """How many are planned."""
    cores: int | None = None
    """Physical cores that the plan is made for."""
    queue: int | None = None
    """How many requests may wait."""
    slot_folder: Path | None = None
    """Where the workers of all servers lock files of CPUs."""
    hold_folder: Path | None = None
    """Where a command asks a worker to pause."""

    def variables(self) -> dict[str, str]:
        """Return the variables of what is set."""
        slots = self.slots
        values = {
            "CUTOUT_PROFILE": self.profile,
            "CUTOUT_WORKERS": self.workers,
            "CUTOUT_THREADS": self.threads,
            "CUTOUT_CORES": self.cores,
            "CUTOUT_QUEUE": self.queue,
            "CUTOUT_CPU_SLOTS": None if slots is None else ";".join(map(_joined, slots)),
            "CUTOUT_SLOT_FOLDER": self.slot_folder,
            "CUTOUT_HOLD_FOLDER": self.hold_folder,
        }
        return {name: str(value) for name, value in values.items() if value is not None}

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "WorkerEnvironment":
        """Read the variables of a process; an empty one is not set, but for the slots.

        Raises:
            ValueError: a number is none.
        """

        def number(name: str) -> int | None:
            return int(variables[name]) if variables.get(name) else None

        def folder(name: str) -> Path | None:
            return Path(variables[name]) if variables.get(name) else None

        slots = variables.get("CUTOUT_CPU_SLOTS")
        return cls(
            threads=number("CUTOUT_THREADS"),
            slots=None
            if slots is None
            else tuple(tuple(map(int, slot.split(","))) for slot in slots.split(";") if slot),
            profile=variables.get("CUTOUT_PROFILE"),
            workers=number("CUTOUT_WORKERS"),
            cores=number("CUTOUT_CORES"),
            queue=number("CUTOUT_QUEUE"),
            slot_folder=folder("CUTOUT_SLOT_FOLDER"),
            hold_folder=folder("CUTOUT_HOLD_FOLDER"),
        )


def _joined(cpus: tuple[int, ...]) -> str:
    return ",".join(map(str, cpus))
