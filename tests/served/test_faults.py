"""What a server does when something breaks; docs/operations.md has the table."""

import os
import resource
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http import HTTPStatus
from io import BytesIO
from pathlib import Path

import psutil
import pytest
import requests
from PIL import Image

from scripts.archive.build import build_archive
from scripts.archive.record import record_of
from scripts.common.http import local_session
from scripts.lifecycle.drain import stop
from scripts.lifecycle.removal import remove_model
from scripts.lifecycle.rollout import roll_out
from scripts.lifecycle.start import start_server
from scripts.measure.faults.kill_workers import kill_workers
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.machine import Machine
from scripts.torchserve.management_call import AlreadyRegisteredError
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.worker_plan import Profile, plan_workers
from tests.conftest import ROOT, WHEELS
from tests.mounts import in_a_thread, small_disk
from tests.served.conftest import ONE_WORKER, Served, await_queue, configure, make
from tests.served.test_drain import command, read_until

OK = HTTPStatus.OK

pytestmark = pytest.mark.usefixtures("other_archives")


@pytest.fixture
def photo(photo_files: list[Path]) -> bytes:
    return photo_files[3].read_bytes()


def served_at(config: ServerConfig) -> Served:
    return Served(config.servers.parent, config)


def await_successor(server: Served, victim: int) -> None:
    """Wait until another worker has taken the place of one that was killed."""
    while victim in server.worker_pids():
        time.sleep(0.1)
    server.api.wait_until_ready("u2netp", "1.0", len(server.worker_pids()))


def test_of_a_killed_worker_only_the_request_in_progress_fails(
    second: ServerConfig, photo: bytes
) -> None:
    start_server(
        second, WHEELS, "u2netp", "1.0", plan_workers(Machine.here(), Profile.THROUGHPUT, 2)
    )
    server = served_at(second)
    victim, other = (psutil.Process(pid) for pid in server.worker_pids())
    victim.suspend()
    other.suspend()
    with ThreadPoolExecutor(6) as clients:
        asked = [clients.submit(server.ask, data=photo, method="PUT") for _ in range(6)]
        # Each worker has one in progress.
        await_queue(server, 4)
        # As the kernel does where memory runs out.
        victim.kill()
        other.resume()
        await_successor(server, victim.pid)

    statuses = Counter(each.result().status_code for each in asked)
    assert statuses.pop(OK) == 5
    # 507 where TorchServe has seen in time that the process was killed.
    (failed,) = statuses
    assert failed in (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.INSUFFICIENT_STORAGE)
    status = make(server.build, second.port, "status").stdout.splitlines()
    header = next(number for number, line in enumerate(status) if line.endswith("  restarts"))
    assert sorted(line.split()[-1] for line in status[header + 1 : header + 3]) == ["0", "1"]

    killing = kill_workers(second, "u2netp", photo, seconds=1, concurrency=4)

    assert killing.sound, killing.report()
    assert "1 workers were killed" in killing.report()


def test_a_worker_without_memory_says_so_and_lives(served: Served) -> None:
    (pid,) = served.worker_pids()
    picture = BytesIO()
    Image.linear_gradient("L").resize((6000, 4000)).save(picture, "JPEG")
    used = psutil.Process(pid).memory_info().vms
    before = resource.prlimit(pid, resource.RLIMIT_AS, (used + (8 << 20), resource.RLIM_INFINITY))
    try:
        starved = served.ask(data=picture.getvalue(), method="PUT")
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, before)

    assert starved.status_code in (
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.INSUFFICIENT_STORAGE,
    )
    assert served.ask(data=picture.getvalue(), method="PUT").status_code == OK
    assert served.worker_pids() == [pid]


def test_a_full_disk_costs_log_lines_and_no_request(second: ServerConfig, photo: bytes) -> None:
    in_a_thread(serve_on_a_full_disk, second, photo)


def serve_on_a_full_disk(config: ServerConfig, photo: bytes) -> None:
    with small_disk(config.folder, "size=120m,nr_inodes=2000"):
        start_server(config, WHEELS, "u2netp", "1.0", ONE_WORKER)
        server = served_at(config)
        try:
            filler = config.folder / "filler"
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while file.write(bytes(1 << 16)):
                    pass
            assert shutil.disk_usage(config.folder).free < 1 << 16

            assert server.ask(data=photo, method="PUT").status_code == OK
            assert server.ask(files={"data": photo}).status_code == OK
            large = server.ask(files={"data": photo + bytes(20_000_000)})
            assert large.status_code == OK
            (victim,) = server.worker_pids()
            os.kill(victim, signal.SIGKILL)
            await_successor(server, victim)
            assert server.ask(data=photo, method="PUT").status_code == OK

            # Not even an empty file can be written: no model can be closed, no token renewed.
            with suppress(OSError):
                for number in range(2000):
                    (config.folder / f"file{number}").touch()
            with pytest.raises(OSError, match="No space left"):
                (config.folder / "another").touch()
            (worker,) = server.worker_pids()
            psutil.Process(worker).suspend()
            with ThreadPoolExecutor(4) as clients, command(config, "stop") as stopping:
                asked = [clients.submit(server.ask, data=photo, method="PUT") for _ in range(3)]
                await_queue(server, 2)
                read_until(stopping, "refusing new requests")
                psutil.Process(worker).resume()
                said = stopping.communicate()[0]
            assert [each.result().status_code for each in asked] == [OK] * 3, said
            assert stopping.returncode == 0, said
        finally:
            stop(config)


@contextmanager
def damaged(weights: Path) -> Iterator[None]:
    sound = weights.read_bytes()
    weights.write_bytes(sound[:-1000])
    yield
    if weights.parent.exists():  # the server has not ended meanwhile
        weights.write_bytes(sound)


def test_workers_that_were_given_up_are_shown_and_started_again_and_do_not_keep_a_stop(
    second: ServerConfig, photo: bytes
) -> None:
    configure(second.store / "u2netp.mar", maxRetryTimeoutInSec=1)
    start_server(second, WHEELS, "u2netp", "1.0", ONE_WORKER)
    server = served_at(second)
    (unpacked,) = second.temporary.glob("models/*/u2netp.bin")

    with ThreadPoolExecutor(1) as client:
        with damaged(unpacked):
            os.kill(server.worker_pids()[0], signal.SIGKILL)
            give_up(server, 1)
            failed = make(server.build, second.port, "status")
            give_up(server, 2)
            hanging = client.submit(server.ask, data=photo, method="PUT")
            await_queue(server, 1)
        recovered = make(server.build, second.port, "status")
        answer = hanging.result()

    assert failed.returncode != 0
    assert "has died too often" in failed.stderr
    assert "u2netp.bin is damaged" in failed.stderr
    assert recovered.returncode == 0, recovered.stderr
    assert "1 worker(s) READY again" in recovered.stderr
    assert "all workers READY" in recovered.stdout
    # It has waited for all that.
    assert answer.status_code == OK, answer.text

    with damaged(unpacked), ThreadPoolExecutor(1) as client:
        os.kill(server.worker_pids()[0], signal.SIGKILL)
        give_up(server, 3)
        lost = client.submit(server.ask, data=photo, method="PUT")
        await_queue(server, 1)
        stopped = make(server.build, second.port, "stop")
        with pytest.raises(requests.RequestException):
            lost.result().raise_for_status()

    assert stopped.returncode == 0
    assert "none of its workers lives" in stopped.stderr
    assert TorchServeProcess(second).find() is None


def give_up(server: Served, times: int) -> None:
    """Wait until TorchServe has given a worker up: it failed, is gone, and no start is planned."""
    log = server.config.logs / "ts_log.log"
    deadline = time.monotonic() + 120
    while log.read_text().count("Auto recovery failed again") < times or any(
        pid > 0 and psutil.pid_exists(pid) for pid in server.worker_pids()
    ):
        assert time.monotonic() < deadline, "no worker was given up"
        time.sleep(0.2)


def test_an_archive_cut_short_is_refused_and_the_old_version_serves_on(
    served: Served, networks: dict[str, Path], photo: bytes
) -> None:
    archive = build_archive("u2netp", "1.5", networks["u2netp"], served.config.store)
    archive.write_bytes(archive.read_bytes()[:100_000])
    # Else it would not be built over, by the other tests.
    record_of(archive).unlink()

    with pytest.raises(ServerError):
        roll_out(served.api, "u2netp", "1.5")

    assert [each["modelVersion"] for each in served.api.versions("u2netp")] == ["1.0"]
    assert served.ask(data=photo, method="PUT").status_code == OK


def test_of_two_registrations_at_once_one_wins_and_stays(
    served: Served, networks: dict[str, Path]
) -> None:
    build_archive("u2netp", "1.6", networks["u2netp"], served.config.store)

    with ThreadPoolExecutor(2) as both:
        calls = [both.submit(served.api.register, "u2netp", "1.6", 1) for _ in range(2)]
        errors = [call.exception() for call in calls]

    assert [type(error) for error in errors if error] == [AlreadyRegisteredError]
    (worker,) = served.api.describe("u2netp", "1.6")["workers"]
    assert worker["status"] == "READY"
    remove_model(served.api, "u2netp", "1.6")


def test_a_token_that_is_none_is_refused_by_the_front_end(served: Served) -> None:
    for token in ("", "wrong", served.api.token("management")):
        answer = local_session().get(
            f"{served.config.inference_address}/predictions/u2netp",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        assert answer.status_code == HTTPStatus.BAD_REQUEST
        assert answer.json()["type"] == "InvalidKeyException"


def test_a_server_without_tokens_is_served_and_drained(
    second: ServerConfig, tmp_path: Path, photo: bytes
) -> None:
    base = tmp_path / "config.properties"
    text = (ROOT / "config.properties").read_text()
    base.write_text(text.replace("token_authorization=false", "token_authorization=true"))
    TorchServeProcess(second).start(base, WHEELS, ONE_WORKER)
    server = served_at(second)
    server.api.wait_until_up()
    server.api.register("u2netp", "1.0", 1)

    assert server.ask(data=photo, method="PUT").status_code == OK
    assert stop(second)
    assert TorchServeProcess(second).find() is None


def test_whoever_reads_the_status_may_stop_early(served: Served) -> None:
    command = f"make --silent BUILD={served.build} PORT={served.config.port} status | head -n 1"

    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.startswith("TorchServe: all workers READY")
    assert (done.stderr, done.returncode) == ("", 0)
