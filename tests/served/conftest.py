"""A real TorchServe with the real archives, for all tests of this folder."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from scripts.archive.build import build_archive
from scripts.common.http import local_session
from scripts.gateway.nginx import Nginx
from scripts.lifecycle.start import start_server
from scripts.torchserve.binding import HOST
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.machine import Machine
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.worker_plan import Profile, plan_workers
from tests.conftest import ROOT, WEIGHTS, WHEELS

# A second worker would only take memory, where a test does not need one.
ONE_WORKER = plan_workers(Machine.here(), Profile.LATENCY)


@dataclass(frozen=True)
class Served:
    """A running server and how to ask it."""

    build: Path
    config: ServerConfig
    api: ManagementApi = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "api", ManagementApi(self.config))

    def ask(
        self, model: str = "u2netp", *, method: str = "POST", path: str = "predictions", **how: Any
    ) -> requests.Response:
        """Send one request with a valid token."""
        headers = {"Authorization": f"Bearer {self.api.token('inference')}"}
        headers.update(how.pop("headers", {}))
        url = f"{self.config.inference_address}/{path}/{model}"
        timeout = how.pop("timeout", 120)
        return local_session().request(method, url, headers=headers, timeout=timeout, **how)

    def worker_pids(self, model: str = "u2netp") -> list[int]:
        """The processes that serve a model; another number means that one died."""
        return [worker["pid"] for worker in self.api.describe(model)["workers"]]


def free_port() -> int:
    """Find an inference port whose companions are free as well."""
    # Two test processes side by side look at different ones.
    first = 20080 + 4000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    for port in range(first, first + 4000, 50):
        if all(_is_free(each) for each in ServerConfig(port, Path(), Path()).listening_ports):
            return port
    pytest.fail("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


@contextmanager
def build_folder() -> Iterator[Path]:
    """A build folder of its own, with the shared weights, networks, photos and wheels.

    pytest's own temporary folders can be too deep for the workers' sockets.
    """
    build = Path(tempfile.mkdtemp(prefix="u2net-"))
    for shared in (WEIGHTS, WEIGHTS.parent / "networks", WEIGHTS.parent / "photos", WHEELS):
        shared.mkdir(exist_ok=True)
        (build / shared.name).symlink_to(shared)
    try:
        yield build
    finally:
        shutil.rmtree(build)


def server_in(build: Path) -> ServerConfig:
    """Settings of a server on free ports, with everything it writes in a build folder."""
    return ServerConfig(free_port(), build / "servers", build / "model-store")


def make(build: Path, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user would, on another build folder and port, in float32."""
    return subprocess.run(
        ["make", "--silent", "PRECISION=fp32", f"BUILD={build}", f"PORT={port}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def configure(archive: Path, **settings: int) -> None:
    """Change settings in the model-config.yaml of an archive."""
    with zipfile.ZipFile(archive) as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    config = yaml.safe_load(members["model-config.yaml"])
    members["model-config.yaml"] = yaml.safe_dump({**config, **settings}).encode()
    with zipfile.ZipFile(archive, "w") as changed:
        for name, content in members.items():
            changed.writestr(name, content)


def await_queue(server: Served, waiting: int) -> None:
    """Wait until exactly so many requests wait for u2netp."""
    while server.api.describe("u2netp")["jobQueueStatus"]["pendingRequests"] != waiting:
        time.sleep(0.05)


@pytest.fixture(scope="session")
def served(networks: dict[str, Path]) -> Iterator[Served]:
    """A server with u2net and u2netp in float32, a worker each."""
    with build_folder() as build:
        config = server_in(build)
        for model, network in networks.items():
            build_archive(model, "1.0", network, config.store)
        try:
            start_server(config, WHEELS, "u2net", "1.0", ONE_WORKER)
            server = Served(build, config)
            server.api.register("u2netp", "1.0", 1)
            yield server
        finally:
            TorchServeProcess(config).stop()


@dataclass(frozen=True)
class Gate:
    """A gateway in front of a server, and how to ask it."""

    served: Served
    url: str
    folder: Path

    def key(self, name: str = "default") -> str:
        """The key of a client, made if there is none."""
        return make(
            self.served.build, self.served.config.port, "gateway-key", f"NAME={name}"
        ).stdout.strip()

    def ask(
        self, path: str = "/v1.0/removebg", method: str = "POST", key: str | None = None, **how: Any
    ) -> requests.Response:
        """Send one request with a valid key, or with another."""
        headers = {"X-Api-Key": self.key() if key is None else key, **how.pop("headers", {})}
        timeout = how.pop("timeout", 120)
        url = f"{self.url}{path}"
        return local_session().request(method, url, headers=headers, timeout=timeout, **how)


@contextmanager
def gate_of(server: Served, *settings: str) -> Iterator[Gate]:
    """Run the gateway as a user would, with u2netp for remove.bg's clients."""
    try:
        Nginx.find()
    except ServerError as error:
        pytest.skip(str(error))
    port = server.config.port
    # Among the server's own, which free_port keeps apart.
    address = f"{HOST}:{port + 3}"
    started = make(server.build, port, "gateway", "MODEL=u2netp", f"LISTEN={address}", *settings)
    assert started.returncode == 0, started.stderr
    try:
        url = make(server.build, port, "gateway-url").stdout.strip()
        yield Gate(server, url, server.build / "gateway")
    finally:
        stopped = make(server.build, port, "gateway-stop")
    assert stopped.stdout.strip() == "stopped"


@pytest.fixture(scope="session")
def gate(served: Served) -> Iterator[Gate]:
    """A gateway in front of the server with both models."""
    with gate_of(served) as gateway:
        yield gateway


@pytest.fixture
def other_archives(served: Served, networks: dict[str, Path]) -> Iterator[None]:
    """For tests that build others in the shared store: leaves the one that the server has."""
    yield
    build_archive("u2netp", "1.0", networks["u2netp"], served.config.store)


@pytest.fixture
def second(networks: dict[str, Path]) -> Iterator[ServerConfig]:
    """Settings of another server, with u2netp to serve; whatever runs there is ended."""
    with build_folder() as build:
        config = server_in(build)
        build_archive("u2netp", "1.0", networks["u2netp"], config.store)
        yield config
        TorchServeProcess(config).stop()
