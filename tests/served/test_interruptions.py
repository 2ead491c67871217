"""A command whose terminal closes, or that gets a signal, leaves a server that serves, or none."""

import subprocess
import time
from pathlib import Path
from subprocess import PIPE

import psutil
import pytest

from scripts.lifecycle.start import start_server
from scripts.torchserve.config import ServerConfig
from scripts.torchserve.process import TorchServeProcess
from tests.conftest import ROOT, WHEELS
from tests.served.conftest import ONE_WORKER, Served, configure, make
from tests.served.terminals import terminal
from tests.served.test_drain import OK, request_in_progress


@pytest.fixture
def photo(photo_files: list[Path]) -> bytes:
    return photo_files[3].read_bytes()


def processes_of(config: ServerConfig) -> list[psutil.Process]:
    """Every process of a server, its workers included."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(config.folder) in " ".join(process.info["cmdline"] or ())
    ]


def versions(server: Served) -> list[str]:
    return [each["modelVersion"] for each in server.api.versions("u2netp")]


def test_a_stop_whose_terminal_closes_opens_the_model_again(
    second: ServerConfig, photo: bytes
) -> None:
    configure(second.store / "u2netp.mar", responseTimeout=300)
    start_server(second, WHEELS, "u2netp", "1.0", ONE_WORKER)
    server = Served(second.servers.parent, second)

    with request_in_progress(server, photo) as asked, terminal(second, "stop") as stop:
        stop.read_until("1 worker(s) busy")
        status = make(server.build, second.port, "status").stdout
        stop.close()
        assert stop.exit_status() != 0

    first, *others = status.splitlines()
    assert first.startswith("TorchServe: REFUSES requests for u2netp")
    assert "READY" not in "".join(others)
    assert asked.result().status_code == OK
    assert versions(server) == ["1.0"]
    assert not second.draining_file.exists()
    assert server.ask(data=photo, method="PUT").status_code == OK
    status = make(server.build, second.port, "status").stdout
    assert status.startswith("TorchServe: all workers READY")


@pytest.mark.parametrize("moment", ["the launcher runs", "the model loads"])
def test_a_serve_whose_terminal_closes_leaves_no_server(second: ServerConfig, moment: str) -> None:
    with terminal(second, "serve", f"WHEELS={WHEELS}", "WORKERS=1") as serve:
        if moment == "the model loads":
            serve.read_until("worker(s) with u2netp 1.0")
        else:
            while not (second.logs / "server.log").exists():
                time.sleep(0.02)
        serve.close()
        assert serve.exit_status() != 0

    assert TorchServeProcess(second).find() is None
    assert processes_of(second) == []


@pytest.mark.parametrize(
    ("moment", "left"), [("registering u2netp 1.1", "1.0"), ("draining 1.0", "1.1")]
)
def test_a_rollout_whose_terminal_closes_leaves_one_version(
    second: ServerConfig, photo: bytes, moment: str, left: str
) -> None:
    start_server(second, WHEELS, "u2netp", "1.0", ONE_WORKER)
    server = Served(second.servers.parent, second)

    with terminal(second, "rollout", "VERSION=1.1") as rollout:
        rollout.read_until(moment)
        rollout.close()
        rollout.exit_status()

    assert versions(server) == [left]
    assert server.ask(data=photo, method="PUT").status_code == OK


def test_a_server_in_the_foreground_is_drained_when_its_terminal_closes(
    second: ServerConfig, photo: bytes
) -> None:
    server = Served(second.servers.parent, second)
    how = ("serve", f"WHEELS={WHEELS}", "WORKERS=1", "FOREGROUND=1")

    with terminal(second, *how) as foreground:
        foreground.read_until("with the header")
        with request_in_progress(server, photo) as asked:
            foreground.close()
            while not second.draining_file.exists():
                time.sleep(0.05)
        foreground.exit_status()

    assert asked.result().status_code == OK
    assert TorchServeProcess(second).find() is None


def test_of_two_serves_on_one_port_the_second_waits_and_one_server_runs(
    second: ServerConfig, photo: bytes
) -> None:
    line = ["make", "--silent", "MODEL=u2netp", "PRECISION=fp32", "WORKERS=1", f"WHEELS={WHEELS}"]
    line += [f"BUILD={second.servers.parent}", f"PORT={second.port}", "serve"]
    serves = []
    for _ in range(2):
        serves.append(subprocess.Popen(line, cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True))
        time.sleep(1.5)
    said = [serve.communicate() for serve in serves]

    assert [serve.returncode for serve in serves] == [0, 0], said
    assert any("another make serve uses port" in stdout for stdout, _ in said)
    server = Served(second.servers.parent, second)
    assert versions(server) == ["1.0"]
    assert server.ask(data=photo, method="PUT").status_code == OK
    assert len([each for each in processes_of(second) if each.name() == "java"]) == 1
