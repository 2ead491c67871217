"""Each step of draining, against a server that speaks TorchServe's Management API."""

import fcntl
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.common.http import local_session
from scripts.lifecycle.deadline import OverdueError
from scripts.lifecycle.drain import deadline_for, remove, scale, stop
from scripts.torchserve.config import ServerConfig
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from tests.conftest import ROOT

SERVER = Path(__file__).with_name("simulated_torchserve.py")
ONE_MODEL: dict[str, Any] = {"u2net": {"1.0": {}}}


@dataclass
class Simulated:
    """A server that was started, and what it was asked for."""

    config: ServerConfig
    process: subprocess.Popen[bytes]

    @property
    def api(self) -> ManagementApi:
        return ManagementApi(self.config)

    @property
    def calls(self) -> list[str]:
        """What changed something, in order: method, path and query."""
        lines = (self.config.folder / "calls.log").read_text().splitlines()
        asked = [line.rpartition(" ")[0] for line in lines]
        return [each for each in asked if not each.startswith("GET /models")]

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def versions(self, model: str) -> dict[str, int]:
        """The versions of a model, and how many workers each has."""
        return {each["modelVersion"]: len(each["workers"]) for each in self.api.versions(model)}

    def default(self, model: str) -> str:
        return str(self.api.describe(model)["modelVersion"])

    def let_wait(self, requests: int, model: str = "u2net", version: str = "1.0") -> None:
        """Have so many requests in the queue of a version."""
        path = f"/simulated/pending/{model}/{version}/{requests}"
        local_session().put(
            f"{self.config.management_address}{path}",
            headers={"Authorization": "Bearer test"},
            timeout=10,
        ).raise_for_status()


Start = Callable[..., Simulated]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a simulated server with these models; it is ended after the test."""
    started: list[subprocess.Popen[bytes]] = []
    port = free_port()

    def begin(
        models: dict[str, Any] = ONE_MODEL, *, refused: tuple[str, ...] = (), **properties: str
    ) -> Simulated:
        config = ServerConfig.of(port, tmp_path)
        for folder in (config.holds, config.logs):
            folder.mkdir(parents=True, exist_ok=True)
        lines = (f"{name}={value}\n" for name, value in properties.items())
        config.properties_file.write_text("".join(lines))
        up = config.temporary / ".up"
        up.unlink(missing_ok=True)
        state = json.dumps({"port": port, "models": models, "refused": refused})
        process = subprocess.Popen(
            [sys.executable, str(SERVER), str(config.properties_file), state],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            start_new_session=True,
        )
        started.append(process)
        (config.temporary / ".model_server.pid").write_text(str(process.pid))
        until(up.exists)
        return Simulated(config, process)

    yield begin
    for process in started:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()
        # Its workers are of its group, also those that outlived it because they were stopped.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """Find an inference port whose neighbour is free too, below those of other tests' servers."""
    while True:
        port = random.randrange(10_000, 18_000)
        with suppress(OSError), socket.socket() as one, socket.socket() as neighbour:
            one.bind(("127.0.0.1", port))
            neighbour.bind(("127.0.0.1", port + 1))
            return port


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come so far")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


def closed_models(server: Simulated) -> list[str]:
    prefix, suffix = "PUT /models/", "/closed/set-default"
    return [
        call.removeprefix(prefix).removesuffix(suffix)
        for call in server.calls
        if call.endswith(suffix)
    ]


def token_of(server: Simulated) -> str:
    return str(json.loads(server.config.key_file.read_text())["inference"]["key"])


def test_the_models_are_closed_then_the_token_changes_then_the_server_ends(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start({"u2net": {"1.0": {}}, "u2netp": {"1.0": {"timeout_s": 300}}})

    assert stop(server.config) is True

    assert not server.runs
    assert [call.partition("url=")[0] for call in server.calls] == [
        "POST /models?",
        "PUT /models/u2net/closed/set-default",
        "POST /models?",
        "PUT /models/u2netp/closed/set-default",
        "GET /token?type=inference",
    ]
    # For the gateway, until the next server starts.
    assert server.config.draining_file.exists()
    printed = capsys.readouterr()
    assert "refusing new requests; at most 420 s for those before" in printed.out
    assert printed.err == ""


def test_without_a_server_there_is_nothing_to_end(start: Start) -> None:
    server = start()
    server.process.kill()
    server.process.wait()

    assert stop(server.config) is False

    assert not server.config.draining_file.exists()
    assert server.calls == []


def test_the_server_lives_until_no_request_waits(start: Start, pool: ThreadPoolExecutor) -> None:
    server = start()
    server.let_wait(2)
    ended = pool.submit(stop, server.config)
    until(lambda: "GET /token?type=inference" in server.calls)

    # Longer than the whole of it takes without them.
    time.sleep(1.5)
    lived = server.runs
    server.let_wait(0)

    assert ended.result() is True
    assert lived
    assert not server.runs


def test_the_server_lives_until_its_workers_are_idle(
    start: Start, pool: ThreadPoolExecutor
) -> None:
    server = start({"u2net": {"1.0": {"workers": 2}}})
    pids = [worker["pid"] for worker in server.api.describe("u2net")["workers"]]
    os.kill(pids[1], signal.SIGSTOP)
    ended = pool.submit(stop, server.config)
    until(lambda: closed_models(server) == ["u2net"])

    time.sleep(1.5)
    lived, renewed = server.runs, "GET /token?type=inference" in server.calls
    os.kill(pids[1], signal.SIGCONT)

    assert ended.result() is True
    assert (lived, renewed) == (True, False)


def test_the_server_lives_until_a_client_has_its_response(
    start: Start, pool: ThreadPoolExecutor
) -> None:
    server = start()
    with socket.create_connection(("127.0.0.1", server.config.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.recv(1)
        ended = pool.submit(stop, server.config)
        until(lambda: "GET /token?type=inference" in server.calls)
        time.sleep(1.5)
        lived = server.runs
        received = 1
        while piece := client.recv(1 << 20):
            received += len(piece)
        assert ended.result() is True

    assert lived
    assert received > 8 << 20


def test_a_client_that_never_reads_is_given_up(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scripts.lifecycle.drain.QUEUE_LIMIT_S", 8)
    server = start({"u2net": {"1.0": {"timeout_s": 1}}})
    with socket.create_connection(("127.0.0.1", server.config.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.recv(1)

        assert stop(server.config) is True

    printed = capsys.readouterr().err
    assert printed.startswith("ending it all the same: ")
    assert "bytes have not reached their clients" in printed
    assert not server.runs


def test_a_worker_that_never_gets_idle_is_given_up(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scripts.lifecycle.drain.QUEUE_LIMIT_S", 0)
    server = start({"u2net": {"1.0": {"timeout_s": 1}}})
    (worker,) = server.api.describe("u2net")["workers"]
    os.kill(worker["pid"], signal.SIGSTOP)

    assert stop(server.config) is True

    printed = capsys.readouterr().err
    assert printed.startswith("ending it all the same: u2net 1.0:")
    assert "1 worker(s) busy" in printed
    # It is no server that can't be closed, whose workers are looked at from outside.
    assert "instead" not in printed
    assert closed_models(server) == ["u2net"]
    assert "GET /token?type=inference" not in server.calls
    assert not server.runs


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({}, "requests are refused with status 400 instead"),
        (
            {"disable_token_authorization": "true"},
            "without tokens no request can be refused until the server ends",
        ),
    ],
)
def test_a_model_that_can_not_be_closed_is_drained_all_the_same(
    start: Start, capsys: pytest.CaptureFixture[str], properties: dict[str, str], words: str
) -> None:
    server = start(refused=("POST /models",), **properties)

    assert stop(server.config) is True

    assert capsys.readouterr().err == f"POST /models: refused (status 500); {words}\n"
    assert ("GET /token?type=inference" in server.calls) == (not properties)
    assert not server.runs


def test_a_server_that_lists_no_models_ends_when_its_workers_are_idle(
    start: Start, capsys: pytest.CaptureFixture[str], pool: ThreadPoolExecutor
) -> None:
    server = start(refused=("GET /models",))
    (worker,) = worker_pids(server)
    os.kill(worker, signal.SIGSTOP)
    ended = pool.submit(stop, server.config)
    time.sleep(2.5)
    lived = server.runs
    os.kill(worker, signal.SIGCONT)

    assert ended.result() is True

    assert lived
    assert "refused (status 500); waiting until its workers are idle" in capsys.readouterr().err
    assert server.calls == []


def worker_pids(server: Simulated) -> list[int]:
    found = TorchServeProcess(server.config).find()
    assert found
    return [child.pid for child in found.children(recursive=True)]


def test_an_interrupted_stop_opens_the_models_again(start: Start) -> None:
    server = start()
    server.let_wait(1)
    # In a process of its own: an interrupted call leaves its connection to the process's end.
    command = subprocess.Popen(
        [
            *(sys.executable, "-m", "scripts", "stop", "--port", str(server.config.port)),
            *("--build", str(server.config.servers.parent)),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: "GET /token?type=inference" in server.calls)
    command.terminate()
    _, said = command.communicate()

    assert command.returncode == 1
    assert "the server goes on; clients may need a new token" in said
    assert server.runs
    assert server.versions("u2net") == {"1.0": 1}
    assert server.default("u2net") == "1.0"
    assert not server.config.draining_file.exists()


def buffered(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """What is printed at once, as to a pipe."""
    told = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(told))
    return told


def test_while_it_drains_the_gateway_and_a_person_can_see_it(
    start: Start, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, told = start(), buffered(monkeypatch)
    server.let_wait(1)
    ended = pool.submit(stop, server.config)
    until(lambda: closed_models(server) == ["u2net"])
    draining = server.config.draining_file.exists()
    said = told.getvalue()
    server.let_wait(0)

    assert ended.result() is True
    assert draining
    assert said.startswith(b"refusing new requests")


def test_a_second_stop_waits_and_leaves_alone_what_was_started_since(
    start: Start, pool: ThreadPoolExecutor, capsys: pytest.CaptureFixture[str]
) -> None:
    first = start()
    with (first.config.folder / "stop.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second: Future[bool] = pool.submit(stop, first.config)
        until(lambda: "another make stop is running" in capsys.readouterr().out)
        first.process.terminate()
        first.process.wait()
        restarted = start()

    assert second.result() is True
    assert restarted.runs
    assert not restarted.config.draining_file.exists()
    assert restarted.calls == []


def test_a_server_that_ends_meanwhile_is_no_failure(
    start: Start, pool: ThreadPoolExecutor, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start()
    server.let_wait(1)
    ended = pool.submit(stop, server.config)
    until(lambda: "GET /token?type=inference" in server.calls)
    server.process.kill()
    server.process.wait()

    assert ended.result() is True
    assert capsys.readouterr().err == ""
    # What it left behind.
    assert not server.config.key_file.exists()


def test_a_command_may_wait_two_minutes_and_the_longest_response_timeout(start: Start) -> None:
    server = start({"u2net": {"1.0": {"timeout_s": 60}, "1.1": {"timeout_s": 300}}})

    assert deadline_for(server.api, "u2net").seconds == 420
    assert deadline_for(server.api, "unknown").seconds == 120


def test_all_versions_are_removed_behind_a_closed_model(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start({"u2net": {"1.0": {}, "1.1": {}}, "u2netp": {"1.0": {}}})

    remove(server.api, "u2net", ["1.0", "1.1"])

    assert [call for call in server.calls if not call.startswith("POST")] == [
        "PUT /models/u2net/closed/set-default",
        "DELETE /models/u2net/1.0",
        "DELETE /models/u2net/1.1",
        "DELETE /models/u2net/closed",
    ]
    assert [entry["modelName"] for entry in server.api.models()] == ["u2netp"]
    assert capsys.readouterr().out == "u2net 1.0 is removed\nu2net 1.1 is removed\n"


def test_one_of_several_versions_is_removed_while_the_others_serve(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, told = start({"u2net": {"1.0": {}, "1.1": {}}}), buffered(monkeypatch)

    remove(server.api, "u2net", ["1.1"])

    assert told.getvalue() == b"u2net 1.1 is removed\n"

    assert server.calls == ["DELETE /models/u2net/1.1"]
    assert server.versions("u2net") == {"1.0": 1}


def test_a_version_with_waiting_requests_is_removed_only_after_them(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.lifecycle.drain.QUEUE_LIMIT_S", 0)
    server = start({"u2net": {"1.0": {"timeout_s": 1}, "1.1": {"timeout_s": 1}}})
    server.let_wait(1, version="1.1")

    with pytest.raises(OverdueError, match=r"request\(s\) wait"):
        remove(server.api, "u2net", ["1.1"])

    assert server.versions("u2net") == {"1.0": 1, "1.1": 1}


@pytest.mark.parametrize("workers", [2, 3])
def test_scaling_up_pauses_no_worker(start: Start, workers: int) -> None:
    server = start({"u2net": {"1.0": {"workers": 2}}})
    kept = server.api.describe("u2net")["workers"]
    for worker in kept:
        os.kill(worker["pid"], signal.SIGSTOP)

    scale(server.api, "u2net", "1.0", workers)

    assert server.versions("u2net") == {"1.0": workers}
    assert server.api.describe("u2net")["workers"][:2] == kept


def test_scaling_down_ends_only_idle_workers(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.lifecycle.drain.QUEUE_LIMIT_S", 0)
    server = start({"u2net": {"1.0": {"workers": 2, "timeout_s": 2}}})
    first, last = (worker["pid"] for worker in server.api.describe("u2net")["workers"])
    # What waits goes to the worker that stays.
    server.let_wait(1)

    os.kill(last, signal.SIGSTOP)
    with pytest.raises(OverdueError, match="busy"):
        scale(server.api, "u2net", "1.0", 1)
    both = server.versions("u2net")
    os.kill(last, signal.SIGCONT)
    monkeypatch.undo()
    scale(server.api, "u2net", "1.0", 1)

    assert both == {"1.0": 2}
    assert [worker["pid"] for worker in server.api.describe("u2net")["workers"]] == [first]


def test_a_server_without_models_ends_after_half_a_second_of_silence(
    start: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start({})
    looks: list[int] = []

    def unsent_bytes(pid: int, _: object) -> int:
        looks.append(pid)
        return 0

    monkeypatch.setattr("scripts.lifecycle.drain.unsent_bytes", unsent_bytes)

    assert stop(server.config) is True

    # Ten in a second, and fewer on a machine that has other work.
    assert 1 <= len(looks) <= 6
    assert "at most 0 s for those before" in capsys.readouterr().out
    assert server.calls == ["GET /token?type=inference"]
    assert not server.runs


def test_an_interruption_goes_on_also_where_the_gateways_file_is_gone(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start({})

    def interrupted(*_: object) -> int:
        server.config.draining_file.unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr("scripts.lifecycle.drain.unsent_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stop(server.config)

    assert server.runs
