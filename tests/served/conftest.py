"""A real TorchServe with the real archives, for all tests of this folder."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from build_archive import build_archive
from lifecycle import serve
from management_api import ManagementApi
from server_config import HOST, ServerConfig
from tests.conftest import WEIGHTS, WHEELS
from torchserve_process import TorchServeProcess

BATCHING = {"batch_size": 1, "batch_delay_ms": 20}


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
        return requests.request(method, url, headers=headers, timeout=120, **how)

    def worker_pids(self, model: str = "u2netp") -> list[int]:
        """The processes that serve a model; another number means that one died."""
        return [worker["pid"] for worker in self.api.describe(model)["workers"]]


def free_port() -> int:
    """Find an inference port whose companions are free as well."""
    for port in range(20080, 30000, 50):
        if all(_is_free(each) for each in ServerConfig(port, Path(), Path()).listening_ports):
            return port
    pytest.fail("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


def new_server(build: Path) -> ServerConfig:
    """Settings of a server of its own in a build folder of its own, with the shared weights."""
    build.mkdir(parents=True, exist_ok=True)
    for shared in (WEIGHTS, WHEELS):
        (build / shared.name).symlink_to(shared)
    return ServerConfig(free_port(), build / "servers", build / "model-store")


@pytest.fixture(scope="session")
def served(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with u2net and u2netp, a worker each."""
    build = tmp_path_factory.mktemp("build")
    config = new_server(build)
    for model in ("u2net", "u2netp"):
        build_archive(model, "1.0", weights / f"{model}.pth", config.store)
    try:
        serve(config, WHEELS, "u2net", "1.0", 1, **BATCHING)
        server = Served(build, config)
        server.api.register("u2netp", "1.0", 1, **BATCHING)
        yield server
    finally:
        TorchServeProcess(config).stop()
