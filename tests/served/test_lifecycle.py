"""The Makefile's commands and what stands behind them, on real servers."""

import os
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import grpc
import pytest
from PIL import Image

from scripts.archive.build import build_archive
from scripts.common.http import local_session
from scripts.lifecycle.removal import remove_model
from scripts.lifecycle.start import make_room, start_server
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.worker_plan import Profile
from tests.conftest import ROOT, WHEELS
from tests.served.conftest import ONE_WORKER, Served, make
from tests.served.test_tokens import MANAGEMENT, bearer, call


def test_two_servers_live_side_by_side(served: Served, second: ServerConfig) -> None:
    start_server(second, WHEELS, "u2netp", "1.0", ONE_WORKER)
    assert ManagementApi(second).describe("u2netp")["workers"][0]["status"] == "READY"

    assert TorchServeProcess(second).stop()

    assert TorchServeProcess(second).find() is None
    assert TorchServeProcess(served.config).find() is not None
    assert served.api.describe("u2netp")["workers"][0]["status"] == "READY"


def test_serve_replaces_what_an_earlier_serve_left(second: ServerConfig) -> None:
    start_server(second, WHEELS, "u2netp", "1.0", ONE_WORKER)
    first = TorchServeProcess(second).find()

    start_server(second, WHEELS, "u2netp", "1.0", make_room(second, Profile.THROUGHPUT, workers=2))

    assert first is not None
    assert not first.is_running()
    assert len(ManagementApi(second).describe("u2netp")["workers"]) == 2


def test_a_locked_server_serves_its_model_and_takes_no_other(second: ServerConfig) -> None:
    config = replace(second, only_model="u2netp", exposed=frozenset({"inference"}))
    start_server(config, WHEELS, "u2netp", "1.0", ONE_WORKER)
    api = ManagementApi(config)

    with pytest.raises(ServerError, match="status 405"):
        api.unregister("u2netp", "1.0")
    with pytest.raises(ServerError, match="status 405"):
        api.register("u2netp", "1.1", 1)
    # What is exposed can be reached by other addresses of this machine, and nothing else can.
    others = {port for port in config.listening_ports if not _connect_error("127.0.0.2", port)}
    assert others == {config.port}
    # A folder with code in it, which nothing else would keep from being run.
    folder = {"url": str(config.folder), "model_name": "folder", "handler": "any.py"}
    headers = {"Authorization": f"Bearer {api.token('management')}"}
    answer = local_session().post(
        f"{config.management_address}/models", params=folder, headers=headers, timeout=60
    )

    assert answer.status_code == 405
    over_grpc = call(
        Served(second.servers.parent, config),
        *("grpc_management", f"{MANAGEMENT}/RegisterModel"),
        bearer(api.token("management")),
    )
    assert over_grpc is grpc.StatusCode.PERMISSION_DENIED
    assert [worker["status"] for worker in api.describe("u2netp")["workers"]] == ["READY"]


def _connect_error(host: str, port: int) -> int:
    with socket.socket() as probe:
        return probe.connect_ex((host, port))


def test_a_model_that_does_not_start_ends_the_server_and_tells_why(
    second: ServerConfig, tmp_path: Path
) -> None:
    with pytest.raises(ServerError, match="pip package installation failed"):
        start_server(second, tmp_path / "no-wheels", "u2netp", "1.0", ONE_WORKER)

    assert TorchServeProcess(second).find() is None


def test_a_taken_port_is_told(served: Served, tmp_path: Path) -> None:
    config = ServerConfig(served.config.port, tmp_path / "servers", tmp_path)

    with pytest.raises(ServerError, match=f"port {config.port} is taken.*another PORT"):
        start_server(config, WHEELS, "u2netp", "1.0", ONE_WORKER)


def test_a_token_about_to_expire_is_renewed(second: ServerConfig, tmp_path: Path) -> None:
    base = tmp_path / "config.properties"
    text = (ROOT / "config.properties").read_text()
    base.write_text(f"{text}\ntoken_expiration_min=1\n")
    TorchServeProcess(second).start(base, WHEELS, ONE_WORKER)
    api = ManagementApi(second)
    api.wait_until_up()

    tokens = [api.token("management", margin=timedelta(minutes=5)) for _ in range(2)]

    assert tokens[0] != tokens[1]
    assert api.models() == []
    time.sleep(5)
    with ThreadPoolExecutor(4) as pool:
        margins = [timedelta(seconds=56)] * 4
        together = set(pool.map(partial(api.token, "management"), margins))
    # Only the first has renewed it, for all.
    assert len(together) == 1
    assert api.models() == []
    refused = local_session().get(
        f"{second.management_address}/models",
        headers={"Authorization": f"Bearer {tokens[0]}"},
        timeout=30,
    )
    assert refused.status_code == 400


@pytest.mark.parametrize("command", ["token", "scale", "unregister", "cutout"])
def test_without_a_server_a_command_says_so(tmp_path: Path, command: str) -> None:
    done = make(tmp_path, 31080, command, "IMAGE=README.md")

    assert done.returncode != 0
    assert "no server runs on port 31080: make serve" in done.stderr


@pytest.mark.parametrize("command", ["stop", "status"])
def test_without_a_server_there_is_nothing_to_stop_or_show(tmp_path: Path, command: str) -> None:
    assert make(tmp_path, 31080, command).stdout.strip() == "no server runs on port 31080"


def test_a_version_is_registered_once(served: Served) -> None:
    with pytest.raises(ServerError, match=r"registered already.*make rollout"):
        served.api.register("u2netp", "1.0", 1)


def test_workers_are_added_and_removed(served: Served) -> None:
    scaled = make(served.build, served.config.port, "scale", "MODEL=u2netp", "WORKERS=2")
    assert scaled.stdout.strip() == "u2netp: 2 worker(s) READY"
    assert len(served.worker_pids()) == 2

    make(served.build, served.config.port, "scale", "MODEL=u2netp", "WORKERS=1")
    assert len(served.worker_pids()) == 1


def test_status_tells_a_person_what_runs(served: Served) -> None:
    lines = make(served.build, served.config.port, "status").stdout.splitlines()

    assert lines[0] == "TorchServe: all workers READY, no request waits"
    assert f"  address  {served.config.inference_address}" in lines
    assert "u2net 1.0 (default): 1 of 1 workers READY, no request waits" in lines
    workers = [line.split() for line in lines if " READY " in line and " MiB " in line]
    assert [row[-1] for row in workers] == ["0", "0"]
    assert ["precision", "fp32"] in map(str.split, lines)
    # The values of a description are words, not Python's.
    assert "max file: 32 MiB" in "".join(lines)
    assert "{" not in "".join(lines)


def test_tokens_of_both_kinds_open_their_own_door(served: Served) -> None:
    port = served.config.port
    inference = make(served.build, port, "token").stdout.strip()
    management = make(served.build, port, "token", "KIND=management").stdout.strip()

    for address, token, status in (
        (served.config.inference_address + "/ping", inference, "200"),
        (served.config.inference_address + "/ping", management, "400"),
        (served.config.management_address + "/models", management, "200"),
        (served.config.management_address + "/models", inference, "400"),
    ):
        curl = ["curl", "--noproxy", "*", "-s", "-o", os.devnull, "-w", "%{http_code}"]
        curl += ["-H", f"Authorization: Bearer {token}", address]
        assert subprocess.run(curl, capture_output=True, text=True, check=True).stdout == status


def test_one_picture_is_cut_out_into_a_file(
    served: Served, photo_files: list[Path], tmp_path: Path
) -> None:
    output = tmp_path / "cut out.png"
    arguments = (f"IMAGE={photo_files[1]}", f"OUTPUT={output}", "MODEL=u2netp")

    done = make(served.build, served.config.port, "cutout", *arguments)

    assert done.returncode == 0, done.stderr
    with Image.open(output) as cutout, Image.open(photo_files[1]) as photo:
        assert (cutout.mode, cutout.size) == ("RGBA", photo.size)


def test_a_picture_that_is_none_is_refused_in_words(served: Served, tmp_path: Path) -> None:
    arguments = ("IMAGE=Makefile", f"OUTPUT={tmp_path / 'none.png'}", "MODEL=u2netp")

    done = make(served.build, served.config.port, "cutout", *arguments)

    assert done.returncode != 0
    assert "invalid_file_type" in done.stderr
    assert not (tmp_path / "none.png").exists()


def test_a_model_is_unregistered_and_registered_again(
    served: Served, networks: dict[str, Path]
) -> None:
    remove_model(served.api, "u2netp", None)
    assert served.ask(data=b"x", method="PUT").status_code == 404
    with pytest.raises(ServerError, match="not registered"):
        remove_model(served.api, "u2netp", None)

    build_archive("u2netp", "1.0", networks["u2netp"], served.config.store)
    served.api.register("u2netp", "1.0", 1)

    assert served.api.describe("u2netp")["modelVersion"] == "1.0"
