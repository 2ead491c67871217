"""What TorchServe forgets of a model, with real processes and folders in its place."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server_config import ServerConfig
from unpacked_models import folders_of, remove_forgotten

Start = Callable[[Path], int]


@pytest.fixture
def config(tmp_path: Path) -> ServerConfig:
    config = ServerConfig(8080, tmp_path / "servers", tmp_path / "store")
    config.unpacked.mkdir(parents=True)
    return config


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process that stays in a folder, and return its id."""
    processes = []

    def sleeper(folder: Path) -> int:
        folder.mkdir(exist_ok=True)
        code = "import time; print(flush=True); time.sleep(60)"
        process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE)
        processes.append(process)
        return process.pid

    yield sleeper
    for process in processes:
        process.kill()
        process.communicate()


def test_a_version_lies_where_its_workers_run(config: ServerConfig, start: Start) -> None:
    folder = config.unpacked / "b7850e"

    assert folders_of(config, [start(folder), start(folder)]) == {folder}


def test_what_torchserve_has_not_unpacked_is_somebodys_own(
    config: ServerConfig, start: Start, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    linked = config.unpacked / "linked"
    process = start(own)
    linked.symlink_to(own)

    assert folders_of(config, [process, start(linked), start(config.unpacked)]) == set()


def test_a_worker_that_is_no_process_lies_nowhere(config: ServerConfig, start: Start) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert folders_of(config, [-1, 0, ended.pid]) == set()


def test_what_is_forgotten_is_removed_and_nothing_beside_it(config: ServerConfig) -> None:
    gone, stays = config.unpacked / "a", config.unpacked / "b"
    for folder in (gone, stays):
        (folder / "PIL").mkdir(parents=True)
        (folder / "u2net.bin").touch()

    remove_forgotten({gone, config.unpacked / "removed by TorchServe"})

    assert list(config.unpacked.iterdir()) == [stays]
