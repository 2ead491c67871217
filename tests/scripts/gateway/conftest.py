"""A real nginx without a TorchServe behind it: what the gateway does by itself."""

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from scripts.common.http import local_session
from scripts.gateway.config import GatewayConfig
from scripts.gateway.nginx import GatewayProcess, Nginx
from scripts.gateway.sides import PrivateSide, PublicSide
from scripts.torchserve.binding import HOST
from scripts.torchserve.config import ServerConfig, ServerError


def free_address() -> str:
    with socket.create_server((HOST, 0)) as probe:
        return f"{HOST}:{probe.getsockname()[1]}"


@dataclass(frozen=True)
class LoneGateway:
    """A running gateway and how to send it requests."""

    config: GatewayConfig
    public: PublicSide

    @property
    def process(self) -> GatewayProcess:
        return GatewayProcess(self.config)

    def connect(self) -> socket.socket:
        host, port = self.public.listen.split(":")
        return socket.create_connection((host, int(port)), 30)

    def request(self, path: str = "/v1.0/account", key: str = "", **how: Any) -> requests.Response:
        headers = {"X-Api-Key": key, **how.pop("headers", {})}
        method = how.pop("method", "GET")
        return local_session().request(
            method, f"{self.public.url}{path}", headers=headers, timeout=60, **how
        )

    def write_keys(self, *lines: str) -> None:
        self.config.keys.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def lone_gateway(folder: Path, **settings: Any) -> LoneGateway:
    """Return a gateway that is not started yet, in front of a server that never runs."""
    try:
        Nginx.find()
    except ServerError as error:
        pytest.skip(str(error))
    public = PublicSide(free_address(), **settings)
    server = ServerConfig(1, folder / "servers", folder / "model-store")
    config = GatewayConfig(folder / "gateway", "u2netp", public, PrivateSide(server, "u2netp"))
    return LoneGateway(config, public)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of 1 MiB on a folder, which is made."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        # Lazily: nginx removes its pid file a moment before it closes the others.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no room on the disk of a folder."""
    with pytest.raises(OSError, match="No space left"):
        (folder / "filler").write_bytes(bytes(2 << 20))


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a path that leaves room for the name of a socket."""
    with tempfile.TemporaryDirectory(prefix="u2net-") as folder:
        yield Path(folder)


@pytest.fixture
def lone(short_folder: Path) -> Iterator[LoneGateway]:
    gateway = lone_gateway(short_folder)
    gateway.config.folder.mkdir()
    gateway.write_keys("alice alices-key", "bob bobs-key 60")
    gateway.process.start()
    try:
        yield gateway
    finally:
        gateway.process.stop()
