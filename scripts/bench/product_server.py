"""Our own server, through its public commands: make serve, make token, make stop."""

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench_cases import LATENCY, Turn
from bench_errors import BenchError
from bench_machine import served_facts
from bench_pictures import Picture
from bench_servers import multipart
from load_generator import Request
from process_tree import ProcessTree
from server_config import ServerConfig
from torchserve_process import TorchServeProcess

# The fastest precision that the machine can have within its bound.
AUTO = "auto"

# What the make that runs the bench exports, and a shell may: it would change what is measured.
OUTER_VARIABLES = (
    *("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL", "MAKEFILES", "GNUMAKEFLAGS"),
    *("MODEL", "VERSION", "CHECKPOINT", "PRECISION", "RUNTIME", "PROFILE"),
    *("WORKERS", "BATCH_SIZE", "BATCH_DELAY", "PORT", "BUILD", "WHEELS", "KIND"),
)

# Folders below the build folder that every precision can use.
SHARED = ("weights", "networks", "photos")


@dataclass(frozen=True)
class Product:
    """A model in a precision and a profile, in a build folder of its own."""

    name: str
    port: int
    build: Path
    """The common folder, of which weights, networks and wheels are used."""
    precision: str
    profile: str = "throughput"
    model: str = "u2net"
    batch_size: int | None = None
    """None, here and below: as `make serve` has it by default."""
    workers: int | None = None
    place: str = "bench"
    """The folder below `build` that holds its own."""
    seconds_to_ready: list[float] = field(default_factory=list)
    """How long each start took."""

    @property
    def folder(self) -> Path:
        """Where it is built and runs."""
        return self.build / self.place / self.precision

    def make(self, *arguments: str) -> str:
        """Run one of the public commands, and return what it prints.

        Raises:
            BenchError: it fails.
        """
        self._share()
        command = [
            *("make", "--silent", "--no-print-directory", *arguments),
            *(f"MODEL={self.model}", f"PORT={self.port}", f"BUILD={self.folder}"),
            *(f"PRECISION={self.precision}", f"PROFILE={self.profile}"),
            f"WHEELS={self.build / 'wheels'}",
            *([f"BATCH_SIZE={self.batch_size}"] if self.batch_size else []),
            *([f"WORKERS={self.workers}"] if self.workers else []),
        ]
        environment = {
            name: value for name, value in os.environ.items() if name not in OUTER_VARIABLES
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            words = (done.stderr.strip() or done.stdout.strip())[-2000:]
            raise BenchError(f"{' '.join(command)} failed:\n{words}")
        return done.stdout.strip()

    def start(self) -> None:
        """Start it, and return when it is READY.

        Raises:
            BenchError: it does not get so, or runs in another precision than it should.
        """
        start = time.monotonic()
        self.make("serve")
        self.seconds_to_ready.append(time.monotonic() - start)
        runs_in = served_facts(self.make("status"))["precision"]
        if self.precision not in (AUTO, runs_in):
            self.stop()
            raise BenchError(f"{self.name} runs in {runs_in}, not in {self.precision}")

    def stop(self) -> None:
        """End it, if it runs."""
        self.make("stop")

    def tree(self) -> ProcessTree:
        """Return its processes: Java, and the workers below it."""
        build = self.folder.resolve()
        config = ServerConfig(self.port, build / "servers", build / "model-store")
        process = TorchServeProcess(config).find()
        if process is None:
            raise BenchError(f"{self.name} does not run any more, see {config.logs}")
        return ProcessTree(process)

    def request(self, picture: Picture, turn: Turn) -> Request:
        """Build what is sent."""
        return self.form(Path(picture.path), {"format": turn.format, "edges": turn.edges})

    def form(self, photo: Path, options: dict[str, str]) -> Request:
        """Build a form with any options."""
        url = f"http://127.0.0.1:{self.port}/predictions/{self.model}"
        forms = self.build / self.place / "forms"
        return multipart(forms, url, options, ("image_file", photo), self.make("token"))

    def _share(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in SHARED:
            common, here = self.build / name, self.folder / name
            common.mkdir(exist_ok=True)
            if not here.is_symlink():
                here.symlink_to(common.resolve())


def product(name: str, port: int, build: Path) -> Product:
    """Return the server of one of the names in ``bench_cases``."""
    precision = name.removesuffix(LATENCY)
    return Product(name, port, build, precision, "latency" if LATENCY in name else "throughput")
