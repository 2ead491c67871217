"""Our own server, through its public commands: make serve, make token, make stop."""

import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.common.options import without_options
from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.host import served_facts
from scripts.measure.kit.photos import Picture
from scripts.measure.kit.processes import ProcessTree
from scripts.measure.kit.request import Request
from scripts.torchserve.config import ServerConfig
from scripts.torchserve.process import TorchServeProcess

# The fastest precision of this machine that holds its bound.
AUTO = "auto"

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
    """None, here and below: the default of `make serve`."""
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
        command = self.command(*arguments)
        # The variables of the make that runs this must not change what is measured.
        environment = without_options(os.environ)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            words = (done.stderr.strip() or done.stdout.strip())[-2000:]
            raise BenchError(f"{' '.join(command)} failed:\n{words}")
        return done.stdout.strip()

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of one of the public commands."""
        return [
            *("make", "--silent", "--no-print-directory", *arguments),
            *(f"MODEL={self.model}", f"PORT={self.port}", f"BUILD={self.folder}"),
            *(f"PRECISION={self.precision}", f"PROFILE={self.profile}"),
            f"WHEELS={self.build / 'wheels'}",
            *([f"BATCH_SIZE={self.batch_size}"] if self.batch_size else []),
            *([f"WORKERS={self.workers}"] if self.workers else []),
        ]

    def start(self) -> None:
        """Start it, and return when it is READY.

        Raises:
            BenchError: it does not get READY, or runs in another precision.
        """
        start = time.monotonic()
        self.make("serve")
        self.seconds_to_ready.append(time.monotonic() - start)
        runs_in = served_facts(self.status())["precision"]
        if self.precision not in (AUTO, runs_in):
            self.stop()
            raise BenchError(f"{self.name} runs in {runs_in}, not in {self.precision}")

    def status(self) -> dict[str, Any]:
        """Return what ``make status JSON=1`` prints."""
        return dict(json.loads(self.make("status", "JSON=1")))

    def stop(self) -> None:
        """Stop it, if it runs."""
        self.make("stop")

    def tree(self) -> ProcessTree:
        """Return its processes: Java, and the workers below it."""
        build = self.folder.resolve()
        config = ServerConfig(self.port, build / "servers", build / "model-store")
        process = TorchServeProcess(config).find()
        if process is None:
            raise BenchError(f"{self.name} has ended, see {config.logs}")
        return ProcessTree(process)

    def request(self, picture: Picture, options: Mapping[str, str]) -> Request:
        """Build a request with a picture."""
        return self.form(Path(picture.path), options)

    def form(self, photo: Path, options: Mapping[str, str]) -> Request:
        """Build a request with a photo and any options."""
        url = f"http://127.0.0.1:{self.port}/predictions/{self.model}"
        forms = self.build / self.place / "forms"
        return Request.of_form(forms, url, options, photo, token=self.make("token"))

    def _share(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in SHARED:
            common, here = self.build / name, self.folder / name
            common.mkdir(exist_ok=True)
            if not here.is_symlink():
                here.symlink_to(common.resolve())
