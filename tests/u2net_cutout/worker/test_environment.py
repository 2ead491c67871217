from pathlib import Path

import pytest

from u2net_cutout.worker.environment import WorkerEnvironment

# As servers of every version have them.
VARIABLES = {
    "CUTOUT_PROFILE": "throughput",
    "CUTOUT_WORKERS": "2",
    "CUTOUT_THREADS": "1",
    "CUTOUT_CORES": "4",
    "CUTOUT_QUEUE": "16",
    "CUTOUT_CPU_SLOTS": "0,4;1,5",
    "CUTOUT_SLOT_FOLDER": "/tmp/cpus",
    "CUTOUT_HOLD_FOLDER": "/tmp/holds",
}
ENVIRONMENT = WorkerEnvironment(
    threads=1,
    slots=((0, 4), (1, 5)),
    profile="throughput",
    workers=2,
    cores=4,
    queue=16,
    slot_folder=Path("/tmp/cpus"),
    hold_folder=Path("/tmp/holds"),
)


def test_names_and_formats_are_those_of_other_versions() -> None:
    assert ENVIRONMENT.variables() == VARIABLES
    assert WorkerEnvironment.read({"PATH": "/bin", **VARIABLES}) == ENVIRONMENT


def test_what_is_not_set_is_neither_written_nor_read() -> None:
    assert WorkerEnvironment().variables() == {}
    assert WorkerEnvironment.read({}) == WorkerEnvironment()


def test_no_slots_are_not_the_same_as_no_plan() -> None:
    assert WorkerEnvironment(slots=()).variables() == {"CUTOUT_CPU_SLOTS": ""}
    assert WorkerEnvironment.read({"CUTOUT_CPU_SLOTS": ""}).slots == ()


@pytest.mark.parametrize("name", ["CUTOUT_THREADS", "CUTOUT_HOLD_FOLDER"])
def test_an_empty_variable_is_not_set(name: str) -> None:
    assert WorkerEnvironment.read({name: ""}) == WorkerEnvironment()


@pytest.mark.parametrize(
    ("name", "value"), [("CUTOUT_WORKERS", "two"), ("CUTOUT_CPU_SLOTS", "0,;1")]
)
def test_what_is_no_number_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        WorkerEnvironment.read({name: value})
