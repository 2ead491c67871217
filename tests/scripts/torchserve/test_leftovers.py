"""What TorchServe can leave of a version, with real processes and folders in its place."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.torchserve import leftovers
from scripts.torchserve.config import ServerConfig
from scripts.torchserve.leftovers import VersionLeftovers

Start = Callable[[Path], subprocess.Popen[bytes]]


@pytest.fixture
def config(tmp_path: Path) -> ServerConfig:
    config = ServerConfig(8080, tmp_path / "servers", tmp_path / "store")
    config.unpacked.mkdir(parents=True)
    return config


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process that stays in a folder."""
    processes = []

    def sleeper(folder: Path) -> subprocess.Popen[bytes]:
        folder.mkdir(exist_ok=True)
        code = "import time; time.sleep(60)"
        processes.append(subprocess.Popen([sys.executable, "-c", code], cwd=folder))
        return processes[-1]

    yield sleeper
    for process in processes:
        process.kill()
        process.wait()


def test_a_version_lies_where_its_workers_run(config: ServerConfig, start: Start) -> None:
    folder = config.unpacked / "b7850e"
    pids = [start(folder).pid, start(folder).pid]

    found = VersionLeftovers.of(config, pids)

    assert [process.pid for process in found.processes] == pids
    assert found.folders == {folder}


def test_what_torchserve_has_not_unpacked_is_somebodys_own(
    config: ServerConfig, start: Start, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    linked = config.unpacked / "linked"
    process = start(own)
    linked.symlink_to(own)
    pids = [process.pid, start(linked).pid, start(config.unpacked).pid]

    assert VersionLeftovers.of(config, pids) == VersionLeftovers()


def test_a_worker_that_is_no_process_lies_nowhere(config: ServerConfig) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert VersionLeftovers.of(config, [-1, 0, ended.pid]) == VersionLeftovers()


def test_a_worker_that_lives_on_is_ended_and_its_files_are_removed(
    config: ServerConfig, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "END_S", 0.2)
    forgotten, other = config.unpacked / "a", config.unpacked / "b"
    worker, neighbour = start(forgotten), start(other)
    for folder in (forgotten, other):
        (folder / "PIL").mkdir()
        (folder / "u2net.bin").touch()

    VersionLeftovers.of(config, [worker.pid]).remove()

    assert worker.poll() is not None
    assert neighbour.poll() is None
    assert list(config.unpacked.iterdir()) == [other]


def test_what_torchserve_has_removed_itself_is_nothing_to_do(
    config: ServerConfig, start: Start
) -> None:
    folder = config.unpacked / "a"
    worker = start(folder)
    found = VersionLeftovers.of(config, [worker.pid])
    worker.kill()
    worker.wait()
    folder.rmdir()

    found.remove()

    assert list(config.unpacked.iterdir()) == []
