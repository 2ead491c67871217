"""The settings of one TorchServe: where it listens, what it serves, to whom."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.torchserve.binding import HOST, OPEN_TO_KSERVE, host_of, objection
from scripts.torchserve.paths import ServerPaths
from scripts.torchserve.properties import read_properties, write_properties
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

# The most bytes of a unix socket's address (sun_path); each of TorchServe's workers listens on one.
LONGEST_SOCKET_PATH = 107


class ServerError(CommandError):
    """A command about the server can't be carried out; the message says why and what to do."""


@dataclass(frozen=True)
class ServerConfig(ServerPaths):
    """One server on this machine: its files, and how it is set."""

    exposed: frozenset[str] = frozenset()
    """Those of ``binding.ADDRESSES`` that other machines may reach."""
    only_model: str | None = None
    """The one model that it will ever serve, loaded when it starts; None: any can be registered."""
    kserve: str | None = None
    """One of ``KSERVE_ENVELOPES``: it speaks KServe's protocol, which has no tokens.

    Nothing can be registered then, so that ``only_model`` is needed as well.
    """

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
        if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
            raise ServerError(
                f"the path {self.folder} is too long for the workers' sockets: choose a shorter "
                "BUILD=/path"
            )

    def check_binding(self, base: Path) -> None:
        """Make sure that with `base` other machines reach only what is in `exposed`.

        Raises:
            ServerError: they reach more, or there is no such interface.
        """
        self._check_bindings(read_properties(base) | self._kserve_properties())

    def _check_bindings(self, properties: dict[str, str]) -> None:
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
            # Without tokens, anyone who reaches the management port could run any code.
            "enable_model_api": "false",
        }

    def write(self, base: Path, plan: WorkerPlan) -> None:
        """Write the server's configuration: `base` with its own addresses and store.

        Its folder is closed to other users: tokens, logs and the workers' sockets are in it. Where
        the plan has more wait in the queue than `base` says, it and the JVM's heap are set to hold
        it.

        Raises:
            ServerError: with `base` other machines would reach more than is in `exposed`; or the
                folder is another user's, or can't be written.
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
        self._check_bindings(properties)
        write_properties(self.properties_file, properties)

    def make_folder(self) -> None:
        """Make the server's folder, the only one that must be writable, if it is not there.

        Raises:
            ServerError: it can't be written, or belongs to another user.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            raise ServerError(
                f"the server's folder {self.folder} can't be written ({error.strerror}): choose a "
                "BUILD=/path of your own"
            ) from error

    def _host(self, interface: str) -> str:
        return host_of(interface, self.exposed)

    def _make_folders(self) -> None:
        self.make_folder()
        for folder in (self.temporary, self.logs, self.workflow_store):
            folder.mkdir(exist_ok=True)
