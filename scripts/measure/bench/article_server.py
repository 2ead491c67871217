"""The article's handler in its two forms, on one TorchServe: .tolist() and .tobytes().

Both are the same model; one responds with nested lists. It has a configuration of its own: the
lists of 12 megapixels are 620 MB of JSON, over the limit of our server.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from scripts.common.paths import ROOT
from scripts.measure.bench.cases import ARTICLE
from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.our_server import Product
from scripts.measure.kit.photos import Picture
from scripts.measure.kit.processes import ProcessTree
from scripts.measure.kit.request import Request
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.machine import Machine
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.properties import read_properties
from scripts.torchserve.worker_plan import Profile, plan_workers

HANDLER = Path(__file__).with_name("tolist_handler.py")
MANIFEST = "MAR-INF/MANIFEST.json"
MODEL_CONFIG = "model-config.yaml"
RESPONSE_TIMEOUT_S = 600
LIST_MODEL = "u2net_tolist"
VERSION = "1.0"
PROPERTIES = {
    "max_response_size": str(2**30),
    "vmargs": "-Xmx6g -XX:MaxDirectMemorySize=3g -XX:+ExitOnOutOfMemoryError",
}


def list_archive(archive: Path, target: Path) -> None:
    """Write an archive like `archive`, whose handler responds with lists."""
    with zipfile.ZipFile(archive) as given, zipfile.ZipFile(target, "w") as written:
        manifest = json.loads(given.read(MANIFEST))
        manifest["model"] |= {"modelName": target.stem, "handler": HANDLER.name}
        config = yaml.safe_load(given.read(MODEL_CONFIG)) | {"responseTimeout": RESPONSE_TIMEOUT_S}
        changed = {MANIFEST: json.dumps(manifest), MODEL_CONFIG: yaml.safe_dump(config)}
        for member in given.namelist():
            written.writestr(member, changed.get(member, given.read(member)))
        written.write(HANDLER, HANDLER.name)


@dataclass
class ArticleServer:
    """One worker each, with all cores, in float32."""

    port: int
    build: Path
    name: str = ARTICLE
    archived: Product = field(init=False)

    def __post_init__(self) -> None:
        self.archived = Product(self.name, self.port, self.build, "fp32", "latency")

    @property
    def config(self) -> ServerConfig:
        """Its folder and ports."""
        folder = self.archived.folder.resolve()
        return ServerConfig(self.port, folder / "servers", folder / "model-store")

    def start(self) -> None:
        """Start it, and return when both models are READY.

        Raises:
            BenchError: they don't get READY.
        """
        self.archived.make("archive")
        store = self.config.store
        list_archive(store / "u2net.mar", store / f"{LIST_MODEL}.mar")
        properties = read_properties(ROOT / "config.properties") | PROPERTIES
        base = self.archived.folder / "article.properties"
        base.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        process, api = TorchServeProcess(self.config), ManagementApi(self.config)
        process.stop()
        try:
            wheels = (self.build / "wheels").resolve()
            process.start(base, wheels, plan_workers(Machine.here(), Profile.LATENCY))
            api.wait_until_up()
            for model in ("u2net", LIST_MODEL):
                api.register(model, VERSION, 1)
        except ServerError as error:
            process.stop()
            raise BenchError(f"{self.name}: {error}") from error

    def stop(self) -> None:
        """Stop it, if it runs."""
        TorchServeProcess(self.config).stop()
        (self.config.store / f"{LIST_MODEL}.mar").unlink(missing_ok=True)

    def tree(self) -> ProcessTree:
        """Return its processes."""
        process = TorchServeProcess(self.config).find()
        if process is None:
            raise BenchError(f"{self.name} has ended, see {self.config.logs}")
        return ProcessTree(process)

    def request(self, picture: Picture, options: Mapping[str, str]) -> Request:
        """Build a request; the form's own format is raw in both."""
        model = LIST_MODEL if options["format"] == "tolist" else "u2net"
        url = f"{self.config.inference_address}/predictions/{model}"
        fields = {**options, "format": "rgba"}
        token = ManagementApi(self.config).token("inference")
        forms = self.build / "bench" / "forms"
        return Request.of_form(forms, url, fields, Path(picture.path), token=token)
