"""rembg's own server and LitServe, as their own documentation starts them."""

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests

from scripts.common.files import sha256_of
from scripts.common.http import local_session
from scripts.measure.bench.cases import LITSERVE, REMBG, REMBG_ISNET, REMBG_SINGLE
from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.photos import Picture
from scripts.measure.kit.processes import ProcessTree
from scripts.measure.kit.request import Request
from scripts.torchserve.binding import HOST
from scripts.weights.fetch import ISNET, PUBLISHED
from scripts.weights.record import WeightsError, WeightsRecord

# rembg's names of the models.
U2NET, ISNET_GENERAL = "u2net", "isnet-general-use"
START_TIMEOUT_S = 120
LITSERVE_PROGRAM = Path(__file__).with_name("litserve_server.py")


@dataclass
class PeerServer:
    """A server of another project, in the peers' environment."""

    name: str
    command: list[str]
    url: str
    fields: dict[str, str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    root: psutil.Process | None = None

    @property
    def log(self) -> Path:
        """Its log."""
        return self.folder / f"{self.name.replace(', ', '-').replace(' ', '-')}.log"

    def start(self) -> None:
        """Start it, and return when it responds.

        Raises:
            BenchError: it ends, or does not respond in time.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("w") as log:
            self.root = psutil.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.root.is_running():
            if self.root.status() == psutil.STATUS_ZOMBIE:
                break
            try:
                # Any response will do, a 404 too.
                local_session().get(self.url, timeout=5)
            except requests.RequestException:
                time.sleep(0.5)
                continue
            return
        self.stop()
        raise BenchError(f"{self.name} does not start, see {self.log}")

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self.root is not None:
            self.tree().end()
            self.root = None

    def tree(self) -> ProcessTree:
        """Return its processes."""
        if self.root is None:
            raise BenchError(f"{self.name} has ended")
        return ProcessTree(self.root)

    def request(self, picture: Picture, options: Mapping[str, str]) -> Request:
        """Build a request: the same for all options, since the response is always PNG."""
        photo = Path(picture.path)
        return Request.of_form(self.folder / "forms", self.url, self.fields, photo, field="file")


def shared_weights(folder: Path) -> Path:
    """Return the ONNX file in `folder` that ours were converted from; the peers serve it.

    Raises:
        BenchError: it is not there, or ours are others.
    """
    published = PUBLISHED["u2net"]
    export = folder / published.name
    try:
        ours = WeightsRecord.beside(export.with_suffix(".pth")).source
    except WeightsError as error:
        raise BenchError(str(error)) from error
    found = export.is_file() and sha256_of(export) == published.sha256
    if not (found and ours.endswith(published.sha256)):
        # rembg would fetch weights of its own silently.
        raise BenchError(
            f"the peers can't serve our weights: {export} is not the published file, or ours "
            f"({ours}) were not converted from it. Move {folder}/u2net.* away, then make bench: "
            "it fetches both"
        )
    return export


def shared_isnet(folder: Path) -> Path | None:
    """Return the ONNX file in `folder` that ours were converted from; None: there is none.

    Nothing fetches IS-Net's weights unasked.
    """
    export = folder / "isnet.onnx"
    if not (export.is_file() and export.with_suffix(".pth").is_file()):
        return None
    same = WeightsRecord.beside(export.with_suffix(".pth")).source.endswith(ISNET.sha256)
    return export if same and sha256_of(export) == ISNET.sha256 else None


def peer_servers(
    venv: Path, weights: Mapping[str, Path], folder: Path, port: int, cores: int
) -> list[PeerServer]:
    """Set the peers up to serve the ONNX files `weights` on `port` and those after it."""
    home = folder / "rembg-models"
    home.mkdir(parents=True, exist_ok=True)
    for name, file in weights.items():
        model = home / f"{name}.onnx"
        model.unlink(missing_ok=True)
        model.symlink_to(file.resolve())
    # rembg knows the sums of files of its own, which have the same weights.
    models = {"U2NET_HOME": str(home), "MODEL_CHECKSUM_DISABLED": "1"}
    single = {**models, "OMP_NUM_THREADS": "1"}

    def rembg(name: str, port: int, environment: dict[str, str], model: str = U2NET) -> PeerServer:
        # Without its web page, which costs CPU even when idle.
        options = ["--host", HOST, "--port", str(port), "--no-ui", "--log_level", "warning"]
        command = [str(venv / "bin" / "rembg"), "s", *options]
        url = f"http://{HOST}:{port}/api/remove"
        return PeerServer(name, command, url, {"model": model}, folder, environment)

    litserve = PeerServer(
        LITSERVE,
        # A process a core, of one thread each: faster than one process with all cores.
        [str(venv / "bin" / "python"), str(LITSERVE_PROGRAM), str(port + 2), str(cores)],
        f"http://{HOST}:{port + 2}/predict",
        {},
        folder,
        single,
    )
    return [
        rembg(REMBG, port, models),
        rembg(REMBG_SINGLE, port + 1, single),
        rembg(REMBG_ISNET, port + 3, models, ISNET_GENERAL),
        litserve,
    ]
