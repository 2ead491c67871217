"""The settings of one TorchServe: where it listens and where its files are."""

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.torchserve.binding import HOST, OPEN_TO_KSERVE, host_of, objection
from scripts.torchserve.worker_plan import QUEUE, WorkerPlan

METRICS_CONFIG = Path(__file__).with_name("metrics.yaml")

DEFAULT_PORT = 8080

# TorchServe's own ports, as distances from the inference port.
PORT_OFFSETS = {
    "management": 1,
    "metrics": 2,
    "grpc_inference": -1010,
    "grpc_management": -1009,
    "first_worker": 920,
}

# A pattern that no address matches. One that allowed the store would allow more: Java resolves
# `file:///store/%2e%2e/...`, and whatever is registered by an address is copied into the store.
NO_URL = "(?!)"

# KServe's protocols, and how TorchServe calls what speaks them.
KSERVE_ENVELOPES = {"v1": "kserve", "v2": "kservev2"}

# What a unix socket's address may hold (sun_path); TorchServe's workers listen on one each.
LONGEST_SOCKET_PATH = 107


class ServerError(CommandError):
    """A command about the server can't be carried out; the message says why and what to do."""


@dataclass(frozen=True)
class ServerConfig:
    """One server on this machine, told from others by its inference port."""

    port: int
    servers: Path
    """Folder that holds a folder for each server."""
    store: Path
    """Folder of the archives."""
    exposed: frozenset[str] = frozenset()
    """Those of ``exposure.ADDRESSES`` that other machines may reach."""
    only_model: str | None = None
    """The one model that it will ever serve, loaded when it starts; None: it can be told."""
    kserve: str | None = None
    """One of ``KSERVE_ENVELOPES``: it speaks KServe's protocol, which has no tokens.

    Nobody can tell it a model, so that ``only_model`` is needed as well.
    """

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
    def key_lock(self) -> Path:
        """What a command locks while it renews a token."""
        return self.folder / "key_file.lock"

    @property
    def draining_file(self) -> Path:
        """There while the server drains, for the gateway before it: it has nothing new to do.

        A locked server can't refuse requests by itself.
        """
        return self.folder / "draining"

    @property
    def temporary(self) -> Path:
        """Where it unpacks models and opens the workers' sockets."""
        return self.folder / "tmp"

    @property
    def unpacked(self) -> Path:
        """Where each model has a folder, unpacked."""
        return self.temporary / "models"

    @property
    def workflow_store(self) -> Path:
        """Where TorchServe looks for workflows: an empty folder."""
        return self.folder / "no-workflows"

    @property
    def logs(self) -> Path:
        """Folder of its logs."""
        return self.folder / "logs"

    @property
    def asks_for_tokens(self) -> bool:
        """Whether the server that was started last does."""
        # Java takes the word in any case.
        return self._started_with("disable_token_authorization").lower() != "true"

    @property
    def speaks_kserve(self) -> bool:
        """Whether the server that was started last speaks a protocol of KServe's."""
        return self._started_with("service_envelope") in KSERVE_ENVELOPES.values()

    def _started_with(self, name: str) -> str:
        try:
            return read_properties(self.properties_file).get(name, "")
        except OSError:
            return ""

    @property
    def holds(self) -> Path:
        """Where a command asks a worker to stand still, see ``u2net_cutout/worker/pause.py``."""
        return self.temporary / "holds"

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

    @classmethod
    def of(cls, port: int, build: Path) -> "ServerConfig":
        """Return the server of a port whose files are in a build folder."""
        build = build.resolve()
        return cls(port, build / "servers", build / "model-store")

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

    def check_binding(self, base: Path) -> None:
        """Make sure that `base` lets in from other machines only whom the user wants.

        Raises:
            ServerError: it does not, or there is no such thing to expose.
        """
        self._refuse_open_doors(read_properties(base) | self._kserve_properties())

    def _refuse_open_doors(self, properties: dict[str, str]) -> None:
        tokenless = OPEN_TO_KSERVE if self.kserve else frozenset[str]()
        if words := objection(properties, self.exposed, tokenless):
            raise ServerError(words)

    def _kserve_properties(self) -> dict[str, str]:
        if not self.kserve:
            return {}
        return {
            "service_envelope": KSERVE_ENVELOPES[self.kserve],
            "ts_open_inference_protocol": "true",
            "disable_token_authorization": "true",
            # Whoever reaches the port for management could have any code run.
            "enable_model_api": "false",
        }

    def write(self, base: Path, plan: WorkerPlan) -> None:
        """Write the server's configuration: `base` with its own addresses and store.

        Its folder is closed to other users: tokens, logs and the workers' sockets are in it. Where
        the plan has more wait in the queue than `base` says, it and the JVM's heap are set to hold
        it.

        Raises:
            ServerError: `base` would let other machines in, and the user has not asked for that; or
                the folder is another user's.
        """
        properties = read_properties(base)
        self.check_binding(base)
        self._make_folders()
        properties |= {
            "inference_address": f"http://{self._host('inference')}:{self.port}",
            "management_address": f"http://{self._host('management')}:{self.port_of('management')}",
            "metrics_address": f"http://{self._host('metrics')}:{self.port_of('metrics')}",
            "grpc_inference_address": self._host("grpc_inference"),
            "grpc_management_address": self._host("grpc_management"),
            "grpc_inference_port": str(self.port_of("grpc_inference")),
            "grpc_management_port": str(self.port_of("grpc_management")),
            "initial_worker_port": str(self.port_of("first_worker")),
            "model_store": str(self.store),
            # Workflows can't be switched off; by default they are looked for in the model store.
            "workflow_store": str(self.workflow_store),
            "allowed_urls": NO_URL,
            "metrics_config": str(METRICS_CONFIG),
        }
        # A shorter queue than usual is meant so.
        if QUEUE <= int(properties.get("job_queue_size", plan.queue)) < plan.queue:
            properties["job_queue_size"] = str(plan.queue)
            heap = f"-Xmx{plan.heap_bytes >> 20}m"
            others = re.sub(r"-Xmx\S+", "", properties.get("vmargs", "")).split()
            properties["vmargs"] = " ".join([heap, *others])
        if self.only_model:
            properties |= {
                "load_models": f"{self.only_model}.mar",
                "default_workers_per_model": str(plan.workers),
                "enable_model_api": "false",
            }
        properties |= self._kserve_properties()
        self._refuse_open_doors(properties)
        text = "".join(f"{name}={value}\n" for name, value in properties.items())
        self.properties_file.write_text(_escaped(text), encoding="ascii")

    def _host(self, interface: str) -> str:
        return host_of(interface, self.exposed)

    def _make_folders(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.folder.chmod(0o700)
        except PermissionError as error:
            raise ServerError(
                f"{self.folder} belongs to another user: choose BUILD=/path"
            ) from error
        for folder in (self.temporary, self.logs, self.workflow_store):
            folder.mkdir(exist_ok=True)


def _escaped(text: str) -> str:
    """Write what is not ASCII as Java reads it in properties: escaped, a UTF-16 unit each."""
    units = struct.unpack(f"<{len(text.encode('utf-16-le')) // 2}H", text.encode("utf-16-le"))
    return "".join(chr(unit) if unit < 128 else f"\\u{unit:04x}" for unit in units)


def read_properties(path: Path) -> dict[str, str]:
    """Read a properties file: ``name=value`` lines, ``#`` comments."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}
