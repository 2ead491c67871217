"""Several machines on one: network namespaces of Linux on a bridge. Needs root and iproute2.

Each has a loopback, an address and a build folder of its own, and runs this project's commands. On
the first, the front, runs the gateway.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.common.options import without_options
from scripts.common.paths import ROOT
from scripts.gateway.config import GatewayConfig
from scripts.gateway.nginx import GatewayProcess
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.process import TorchServeProcess

PRIVATE_PORT = 8070
PUBLIC_PORT = 8000
FRONT_ADDRESS = "10.77.0.1"

# A connection to a machine that has gone silent is given up after some 4 s, instead of two hours
# (waiting for an answer) or a quarter of an hour (sending): docs/gateway.md.
TCP_SETTINGS: Mapping[str, int] = {
    "tcp_keepalive_time": 2,
    "tcp_keepalive_intvl": 1,
    "tcp_keepalive_probes": 2,
    "tcp_retries2": 3,
}


@dataclass(frozen=True)
class SimulatedMachine:
    """One namespace."""

    namespace: str
    address: str
    build: Path
    cpus: str | None = None
    """The CPUs that it has, as taskset writes them; None: all of this machine's."""

    @property
    def private_side(self) -> str:
        """Where the front's gateway reaches it."""
        return f"{self.address}:{PRIVATE_PORT}"

    @property
    def server(self) -> ServerConfig:
        """Its TorchServe; the ports are those of the namespace."""
        return ServerConfig(8080, self.build / "servers", self.build / "model-store")

    def inside(self, *command: str) -> list[str]:
        """Return a command that runs on it."""
        pinned = ("taskset", "-c", self.cpus) if self.cpus else ()
        return ["ip", "netns", "exec", self.namespace, *pinned, *command]

    def run(self, command: str, *arguments: str) -> None:
        """Run one of the project's commands on it.

        Raises:
            ServerError: it fails.
        """
        line = [sys.executable, "-m", "scripts", command, "--build", str(self.build), *arguments]
        _run(self.inside(*line))

    def serve(self, model: str, wheels: Path) -> None:
        """Start TorchServe with a worker for each of its cores, and the private side before it.

        Raises:
            ServerError: one of them does not start.
        """
        self.run("serve", "--model", model, "--version", "1.0", "--wheels", str(wheels))
        guarding = ("--model", model, "--listen", self.private_side)
        self.run("gateway-machine", *guarding, "--allow", FRONT_ADDRESS)

    def start_gateway(self, model: str, machines: Sequence["SimulatedMachine"], port: int) -> str:
        """Start the gateway in front of other machines; return its URL.

        Raises:
            ServerError: it does not start.
        """
        addresses = " ".join(machine.private_side for machine in machines)
        listen = f"{self.address}:{port}"
        starting = ("--model", model, "--machines", addresses, "--listen", listen)
        self.run("gateway", *starting, "--plaintext", "--rate", "1000000")
        return f"http://{listen}"

    def stop(self) -> None:
        """End its gateway and its TorchServe. Processes are seen from outside, too."""
        GatewayProcess(GatewayConfig(self.build / "gateway", "")).stop()
        GatewayProcess(GatewayConfig(self.build / "gateway-machine", "")).stop()
        TorchServeProcess(self.server).stop()

    def processes(self) -> list[int]:
        """Return the processes that run on it now."""
        return [int(pid) for pid in _run(["ip", "netns", "pids", self.namespace]).split()]

    def plug(self, *, into_the_network: bool) -> None:
        """Connect it, or pull its cable."""
        state = "up" if into_the_network else "down"
        _run(["ip", "-n", self.namespace, "link", "set", "eth0", state])


def why_not() -> str | None:
    """Return why this machine can't simulate others; None: it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if (program := shutil.which("ip")) is None:
        return "ip is not installed: apt-get install iproute2"
    probe = f"cutout{os.getpid()}-probe"
    if subprocess.run(
        [program, "netns", "add", probe], capture_output=True, check=False
    ).returncode:
        return "network namespaces are not allowed here"
    _run(["ip", "netns", "del", probe])
    return None


@contextmanager
def simulated_machines(
    builds: Sequence[Path], cpus: Sequence[str | None]
) -> Iterator[list[SimulatedMachine]]:
    """Yield machines that reach each other, the front first; a build folder and CPUs for each.

    Raises:
        ServerError: one of them can't be made.
    """
    machines = [
        SimulatedMachine(f"cutout{os.getpid()}-{index}", _address(index), build, its_cpus)
        for index, (build, its_cpus) in enumerate(zip(builds, cpus, strict=True))
    ]
    front, *others = machines
    with ExitStack() as stack:
        for machine in machines:
            _run(["ip", "netns", "add", machine.namespace])
            stack.callback(_run, ["ip", "netns", "del", machine.namespace])
            _run(["ip", "-n", machine.namespace, "link", "set", "lo", "up"])
        _ip(
            front, f"link add lan type bridge; addr add {front.address}/24 dev lan; link set lan up"
        )
        for index, machine in enumerate(others):
            peer = f"peer name eth0 netns {machine.namespace}"
            _ip(front, f"link add port{index} type veth {peer}; link set port{index} master lan up")
            _ip(machine, f"addr add {machine.address}/24 dev eth0; link set eth0 up")
        for name, value in TCP_SETTINGS.items():
            _run(front.inside("sysctl", "-q", "-w", f"net.ipv4.{name}={value}"))
        yield machines


def _address(index: int) -> str:
    return f"10.77.0.{10 + index}" if index else FRONT_ADDRESS


def _ip(machine: SimulatedMachine, commands: str) -> None:
    for command in commands.split(";"):
        _run(["ip", "-n", machine.namespace, *command.split()])


def _run(command: list[str]) -> str:
    environment = without_options(os.environ)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ServerError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
