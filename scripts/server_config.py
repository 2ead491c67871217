"""The settings of one TorchServe: where it listens and where its files are."""

import re
import struct
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

METRICS_CONFIG = Path(__file__).with_name("metrics.yaml")

HOST = "127.0.0.1"
DEFAULT_PORT = 8080

# TorchServe's own ports, as distances from the inference port.
PORT_OFFSETS = {
    "management": 1,
    "metrics": 2,
    "grpc_inference": -1010,
    "grpc_management": -1009,
    "first_worker": 920,
}

# What a unix socket's address may hold (sun_path); TorchServe's workers listen on one each.
LONGEST_SOCKET_PATH = 107


class ServerError(Exception):
    """A command about the server can't be carried out; the message says why and what to do."""


@dataclass(frozen=True)
class ServerConfig:
    """One server on this machine, told from others by its inference port."""

    port: int
    servers: Path
    """Folder that holds a folder for each server."""
    store: Path
    """Folder of the archives."""

    @property
    def folder(self) -> Path:
        """Everything that this server writes: configuration, tokens, logs, unpacked models."""
        return self.servers / str(self.port)

    @property
    def properties_file(self) -> Path:
        """What TorchServe is started with."""
        return self.folder / "config.properties"

    @property
    def key_file(self) -> Path:
        """Where TorchServe writes its tokens."""
        return self.folder / "key_file.json"

    @property
    def temporary(self) -> Path:
        """Where it unpacks models and opens the workers' sockets."""
        return self.folder / "tmp"

    @property
    def logs(self) -> Path:
        """Folder of its logs."""
        return self.folder / "logs"

    @property
    def inference_address(self) -> str:
        """Root of the Inference API."""
        return f"http://{HOST}:{self.port}"

    @property
    def management_address(self) -> str:
        """Root of the Management API."""
        return f"http://{HOST}:{self.port_of('management')}"

    @property
    def metrics_address(self) -> str:
        """Root of the metrics API."""
        return f"http://{HOST}:{self.port_of('metrics')}"

    def port_of(self, name: str) -> int:
        """Return one of the ports in ``PORT_OFFSETS``."""
        return self.port + PORT_OFFSETS[name]

    @property
    def listening_ports(self) -> list[int]:
        """Every port that the server opens; the workers use sockets in the temporary folder."""
        return [
            self.port,
            *(self.port_of(name) for name in PORT_OFFSETS if name != "first_worker"),
        ]

    @staticmethod
    def add_arguments(parser: ArgumentParser) -> None:
        """Add the options that tell which server is meant."""
        parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="its inference port")
        parser.add_argument(
            "--build", type=Path, default=Path("build"), help="folder of all that is generated"
        )

    @classmethod
    def from_arguments(cls, arguments: Namespace) -> "ServerConfig":
        """Take the server that the command line means."""
        build = arguments.build.resolve()
        return cls(arguments.port, build / "servers", build / "model-store")

    def check(self) -> None:
        """Make sure that a server can be started so.

        Raises:
            ServerError: the folder's path is too long, or the ports are out of range.
        """
        if not all(1024 <= port <= 65535 for port in self.listening_ports):
            raise ServerError(f"PORT={self.port} is out of range: choose 2034 to 64600")
        socket = self.temporary / f".ts.sock.{self.port_of('first_worker') + 99}"
        if len(str(socket)) > LONGEST_SOCKET_PATH:
            raise ServerError(
                f"{self.folder} is too long a path for the workers' sockets: "
                "choose a shorter BUILD=/path"
            )

    def write(self, base: Path, queue: int = 0, heap_bytes: int = 0) -> None:
        """Write the server's configuration: `base` with its own addresses and store.

        Where more than `base` says may wait in the queue, it and the JVM's heap are set to hold it.
        """
        self.temporary.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        properties = {
            **read_properties(base),
            "inference_address": self.inference_address,
            "management_address": self.management_address,
            "metrics_address": self.metrics_address,
            "grpc_inference_port": str(self.port_of("grpc_inference")),
            "grpc_management_port": str(self.port_of("grpc_management")),
            "initial_worker_port": str(self.port_of("first_worker")),
            "model_store": str(self.store),
            "allowed_urls": f"file://{self.store}/.*",
            "metrics_config": str(METRICS_CONFIG),
        }
        if queue > int(properties.get("job_queue_size", queue)):
            properties["job_queue_size"] = str(queue)
            heap = f"-Xmx{heap_bytes >> 20}m"
            properties["vmargs"] = re.sub(r"-Xmx\S+", heap, properties["vmargs"])
        text = "".join(f"{name}={value}\n" for name, value in properties.items())
        self.properties_file.write_text(_escaped(text), encoding="ascii")


def _escaped(text: str) -> str:
    """Write what is not ASCII as Java reads it in properties: escaped, a UTF-16 unit each."""
    units = struct.unpack(f"<{len(text.encode('utf-16-le')) // 2}H", text.encode("utf-16-le"))
    return "".join(chr(unit) if unit < 128 else f"\\u{unit:04x}" for unit in units)


def read_properties(path: Path) -> dict[str, str]:
    """Read a properties file: ``name=value`` lines, ``#`` comments."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}
