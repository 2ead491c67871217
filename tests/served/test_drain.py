"""Ending a server, a version or workers under load loses nothing, on real servers."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import psutil
import pytest
import requests
from PIL import Image

from scripts.archive.build import build_archive
from scripts.lifecycle.drain import scale
from scripts.lifecycle.maintenance import closed, open_versions, served_version
from scripts.lifecycle.removal import remove_model
from scripts.lifecycle.rollout import roll_out
from scripts.lifecycle.start import start_server
from scripts.measure.faults.clients import SteadyClients
from scripts.torchserve.binding import HOST
from scripts.torchserve.config import ServerConfig
from scripts.torchserve.machine import Machine
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.worker_plan import Profile, plan_workers
from tests.conftest import ROOT, WHEELS
from tests.mounts import in_a_thread, read_only
from tests.served.conftest import ONE_WORKER, Served, await_queue, configure, make
from tests.served.test_grpc import predict

OK, UNAVAILABLE = HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE
REFUSALS = {"400", "503"}
PNG = b"\x89PNG"


@pytest.fixture
def photo(photo_files: list[Path]) -> bytes:
    return photo_files[3].read_bytes()


@contextmanager
def command(config: ServerConfig, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command of the Makefile's, running."""
    command_line = [
        *(sys.executable, "-m", "scripts", *arguments, "--build", str(config.servers.parent)),
        *("--port", str(config.port)),
    ]
    with subprocess.Popen(
        command_line,
        cwd=ROOT,
        env={"MODEL": "u2netp", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Read what a command prints up to the line with these words."""
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    pytest.fail(f"no {words!r} in {said!r}")


def drawn(server: Served) -> int:
    """How much the server has handed to its workers, as its log tells."""
    return (server.config.logs / "ts_log.log").read_text().count("Looping backend response")


@contextmanager
def request_in_progress(server: Served, photo: bytes) -> Iterator[Future[requests.Response]]:
    """A request that a worker has taken; all workers are suspended until this is left."""
    workers = [psutil.Process(pid) for pid in server.worker_pids()]
    for worker in workers:
        worker.suspend()
    before = drawn(server)
    with ThreadPoolExecutor(1) as pool:
        try:
            asked = pool.submit(server.ask, data=photo, method="PUT")
            while drawn(server) == before and not asked.done():
                time.sleep(0.05)
            yield asked
        finally:
            for worker in workers:
                if worker.is_running():
                    worker.resume()


def test_a_stop_answers_what_was_accepted_and_refuses_what_comes_later(
    second: ServerConfig, photo: bytes
) -> None:
    start_server(
        second, WHEELS, "u2netp", "1.0", plan_workers(Machine.here(), Profile.THROUGHPUT, 2)
    )
    clients = SteadyClients(second, "u2netp", photo, 4)
    pinned = SteadyClients(second, "u2netp", photo, 2, version="1.0")

    with clients.sending(), pinned.sending():
        time.sleep(2)
        begin = time.monotonic()
        stopped = make(second.servers.parent, second.port, "stop")

    assert stopped.returncode == 0, stopped.stderr
    assert stopped.stdout.splitlines()[-1] == "stopped"
    assert stopped.stderr == ""
    assert TorchServeProcess(second).find() is None
    outcomes = [*clients.outcomes, *pinned.outcomes]
    assert {each.tries for each in outcomes if each.sent < begin} == {("200",)}
    # What came before the last cutout was served or refused; afterwards there is no server.
    last = max(each.sent + each.seconds for each in outcomes if each.served)
    between = {each.tries[-1] for each in outcomes if begin <= each.sent < last}
    assert between <= {"200", *REFUSALS}
    assert "503" in {each.tries[-1] for each in clients.outcomes}
    assert "ReadTimeout" not in {each.tries[-1] for each in outcomes}


@pytest.fixture
def stopping() -> Iterator[ExitStack]:
    """Commands that a test leaves running."""
    with ExitStack() as stack:
        yield stack


def test_an_interrupted_stop_leaves_the_server_as_it_was_and_a_second_one_waits_for_the_first(
    second: ServerConfig, photo: bytes, stopping: ExitStack
) -> None:
    stops: list[subprocess.Popen[str]] = []
    # Longer than the commands take while the worker is held up.
    configure(second.store / "u2netp.mar", responseTimeout=300)
    start_server(second, WHEELS, "u2netp", "1.0", ONE_WORKER)
    server = Served(second.servers.parent, second)

    with request_in_progress(server, photo) as asked, command(second, "stop") as stop:
        read_until(stop, "1 worker(s) busy")
        refused = server.ask(data=photo, method="PUT")
        draining = second.draining_file.exists()
        stop.send_signal(signal.SIGINT)
        said = stop.communicate()[0]

    assert draining
    assert not second.draining_file.exists()
    assert refused.status_code == UNAVAILABLE
    assert stop.returncode != 0
    assert "the server goes on" in said
    assert asked.result().status_code == OK
    assert [each["modelVersion"] for each in server.api.versions("u2netp")] == ["1.0"]
    assert server.ask(data=photo, method="PUT").status_code == OK

    with ThreadPoolExecutor(2) as pool, request_in_progress(server, photo) as asked:
        explained = pool.submit(server.ask, data=photo, method="PUT", path="explanations")
        over_grpc = pool.submit(predict, server, data=photo)
        await_queue(server, 2)
        stops.append(stopping.enter_context(command(second, "stop")))
        read_until(stops[0], "busy")
        stops.append(stopping.enter_context(command(second, "stop")))
        read_until(stops[1], "waiting for it")
        status = make(server.build, second.port, "status")
        assert status.stdout.startswith("TorchServe: REFUSES requests for u2netp")
        assert "u2netp 1.0 is too busy to describe itself" in status.stdout
    # Only now has the worker gone on.
    assert asked.result().status_code == explained.result().status_code == OK
    assert over_grpc.result().startswith(PNG)
    assert [stop.communicate()[0].splitlines()[-1] for stop in stops] == ["stopped", "stopped"]
    assert TorchServeProcess(second).find() is None


def test_a_server_in_the_foreground_is_drained_when_it_is_told_to_end(
    second: ServerConfig, photo: bytes
) -> None:
    server = Served(second.servers.parent, second)
    how = ("--version", "1.0", "--workers", "1", "--wheels", str(WHEELS), "--foreground")

    with command(second, "serve", *how) as foreground:
        read_until(foreground, "with the header")
        with request_in_progress(server, photo) as asked:
            foreground.send_signal(signal.SIGTERM)
            read_until(foreground, "1 worker(s) busy")
        said = foreground.communicate()[0]

    assert asked.result().status_code == OK
    assert (foreground.returncode, said.splitlines()[-1]) == (0, "stopped")
    assert TorchServeProcess(second).find() is None


def test_a_stop_waits_for_clients_that_are_slow_to_read(
    second: ServerConfig, tmp_path: Path
) -> None:
    start_server(second, WHEELS, "u2netp", "1.0", ONE_WORKER)
    size = (3000, 2000)
    large = tmp_path / "large.jpg"
    Image.linear_gradient("L").resize(size).save(large)
    body = large.read_bytes()
    token = ManagementApi(second).token("inference")
    head = (
        f"PUT /predictions/u2netp HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
    )

    with socket.create_connection((HOST, second.port)) as slow:
        slow.sendall(head.encode() + body)
        answer = slow.recv(1000)
        with command(second, "stop") as stop:
            read_until(stop, "bytes are on their way to clients")
            while piece := slow.recv(1 << 20):
                answer += piece
                if len(answer) > size[0] * size[1] * 4:
                    head_of_answer, _, raw = answer.partition(b"\r\n\r\n")
                    if len(raw) == size[0] * size[1] * 4:
                        break
            assert stop.wait() == 0

    assert head_of_answer.startswith(b"HTTP/1.1 200")


def test_a_stop_at_once_does_not_wait(second: ServerConfig, photo: bytes) -> None:
    configure(second.store / "u2netp.mar", responseTimeout=300)
    start_server(second, WHEELS, "u2netp", "1.0", ONE_WORKER)
    server = Served(second.servers.parent, second)

    with request_in_progress(server, photo) as asked, command(second, "stop") as drained:
        read_until(drained, "busy")
        at_once = make(server.build, second.port, "stop", "NOW=1")
        assert at_once.stdout.splitlines()[-1] == "stopped"
        with pytest.raises(requests.RequestException):
            asked.result().raise_for_status()
        assert drained.wait() == 0
    assert TorchServeProcess(second).find() is None


def test_scaling_down_and_unregistering_lose_no_request(served: Served, photo: bytes) -> None:
    served.api.scale("u2netp", "1.0", 2)
    clients = SteadyClients(served.config, "u2netp", photo, 4)

    with clients.sending():
        time.sleep(1)
        scaled = make(served.build, served.config.port, "scale", "MODEL=u2netp", "WORKERS=1")
        time.sleep(1)
        begin = time.monotonic()
        removed = make(served.build, served.config.port, "unregister", "MODEL=u2netp")
        end = time.monotonic()
    served.api.register("u2netp", "1.0", 1)

    assert scaled.stdout.splitlines()[-1] == "u2netp: 1 worker(s) READY", scaled.stderr
    assert removed.stdout.splitlines()[-1] == "u2netp 1.0 is removed", removed.stderr
    assert {each.tries for each in clients.outcomes if each.sent < begin} == {("200",)}
    during = {each.tries[-1] for each in clients.outcomes if begin <= each.sent < end}
    assert during <= {"200", "503", "404"}


@pytest.mark.usefixtures("other_archives")
def test_a_closed_model_opens_again_to_the_newest_version_that_is_left(
    served: Served, networks: dict[str, Path]
) -> None:
    api, store = served.api, served.config.store
    for version in ("1.9", "1.10"):
        build_archive("u2netp", version, networks["u2netp"], store)
        api.register("u2netp", version, 0)
    api.set_default("u2netp", "1.9")

    with suppress(KeyboardInterrupt), closed(api, ["u2netp"]):
        while_closed = served_version(api, "u2netp")
        # As another command does.
        api.unregister("u2netp", "1.9")
        raise KeyboardInterrupt
    opened = api.describe("u2netp")["modelVersion"]
    api.set_default("u2netp", "1.0")
    api.unregister("u2netp", "1.10")

    assert (while_closed, opened) == ("1.10", "1.10")
    assert open_versions(api, "u2netp") == ["1.0"]


def test_a_model_that_was_left_closed_and_empty_opens_with_a_registration(
    served: Served, photo: bytes
) -> None:
    with closed(served.api, ["u2netp"]):  # as by `make unregister`, killed in its last step
        served.api.unregister("u2netp", "1.0")
    refused = served.ask(data=photo, method="PUT").status_code

    registered = make(served.build, served.config.port, "register", "MODEL=u2netp", "WORKERS=1")

    assert registered.returncode == 0, registered.stderr
    assert refused == UNAVAILABLE
    assert served.ask(data=photo, method="PUT").status_code == OK
    assert [each["modelVersion"] for each in served.api.versions("u2netp")] == ["1.0"]


def test_of_several_versions_the_served_one_is_not_removed_alone(
    served: Served, networks: dict[str, Path], other_archives: None
) -> None:
    build_archive("u2netp", "1.9", networks["u2netp"], served.config.store)
    served.api.register("u2netp", "1.9", 0)
    try:
        refused = make(
            served.build, served.config.port, "unregister", "MODEL=u2netp", "VERSION=1.0"
        )
    finally:
        served.api.unregister("u2netp", "1.9")

    assert refused.returncode != 0
    assert "u2netp 1.0 is what requests get" in refused.stderr
    assert open_versions(served.api, "u2netp") == ["1.0"]


def test_a_server_whose_store_is_read_only_loses_no_request(
    second: ServerConfig, photo: bytes
) -> None:
    in_a_thread(drain_with_a_read_only_store, second, photo)


def drain_with_a_read_only_store(config: ServerConfig, photo: bytes) -> None:
    how = ("--version", "1.0", "--workers", "1", "--wheels", str(WHEELS), "--foreground")
    with read_only(config.store), command(config, "serve", *how) as foreground:
        read_until(foreground, "with the header")
        clients = SteadyClients(config, "u2netp", photo, 4)
        with clients.sending():
            time.sleep(2)
            begin = time.monotonic()
            foreground.send_signal(signal.SIGTERM)
            said = foreground.communicate()[0]

    assert (foreground.returncode, said.splitlines()[-1]) == (0, "stopped"), said
    outcomes = clients.outcomes
    assert {each.tries for each in outcomes if each.sent < begin} == {("200",)}
    # The model was closed; a new token alone refuses with 400.
    assert "503" in {each.tries[-1] for each in outcomes}


def test_versions_are_changed_with_a_read_only_store(
    second: ServerConfig, networks: dict[str, Path], photo: bytes
) -> None:
    start_server(second, WHEELS, "u2netp", "1.0", ONE_WORKER)
    build_archive("u2netp", "1.1", networks["u2netp"], second.store)
    in_a_thread(change_versions, second, photo)


def change_versions(config: ServerConfig, photo: bytes) -> None:
    server = Served(config.servers.parent, config)
    clients = SteadyClients(config, "u2netp", photo, 2)
    with read_only(config.store):
        with clients.sending():
            roll_out(server.api, "u2netp", "1.1")
            server.api.scale("u2netp", "1.1", 2)
            scale(server.api, "u2netp", "1.1", 1)
        remove_model(server.api, "u2netp", None)
        server.api.register("u2netp", "1.1", 1)
        assert server.ask(data=photo, method="PUT").status_code == OK
    assert {each.tries for each in clients.outcomes} == {("200",)}
