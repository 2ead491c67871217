"""A server that speaks as much of TorchServe's Management API as draining needs.

It is started as ``python simulated_torchserve.py <config.properties> <state as JSON>`` and answers
by what TorchServe 0.12 does. Its workers are processes that pause as real ones do, by
``u2net_cutout/worker/pause.py``. Each call is a line in ``calls.log`` of the server's folder.
"""

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scripts.torchserve.properties import read_properties

WORKER = """
import os, sys
from pathlib import Path
from u2net_cutout.worker.pause import pause_if_asked
for line in sys.stdin:
    pause_if_asked(Path(sys.argv[1]))
    print(os.getpid(), flush=True)
"""


class Version:
    """One version of a model, with its workers and their queue."""

    def __init__(self, holds: Path, workers: int, timeout_s: int) -> None:
        self.holds, self.timeout_s, self.pending = holds, timeout_s, 0
        self.workers: list[subprocess.Popen[str]] = []
        self.idle: queue.Queue[subprocess.Popen[str]] = queue.Queue()
        self.scale(workers)

    def scale(self, workers: int) -> None:
        while len(self.workers) < workers:
            command = [sys.executable, "-c", WORKER, str(self.holds)]
            worker = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self.workers.append(worker)
            self.idle.put(worker)
        while len(self.workers) > workers:
            self.workers.pop().kill()

    def describe_itself(self) -> int:
        """Let any worker respond, as a request that goes through the queue."""
        worker = self.idle.get()
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write("\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
        self.idle.put(worker)
        return int(answer)

    def description(self, model: str, version: str) -> dict[str, Any]:
        return {
            "modelName": model,
            "modelVersion": version,
            "responseTimeout": self.timeout_s,
            "startupTimeout": 10,
            "workers": [{"pid": each.pid, "status": "READY"} for each in self.workers],
            "jobQueueStatus": {"pendingRequests": self.pending},
        }


class Models:
    """All models, and the calls that change them."""

    def __init__(self, folder: Path, state: dict[str, Any]) -> None:
        self.folder, self.refused, self.inference = folder, state.get("refused", []), 0
        self.holds = folder / "tmp" / "holds"
        self.versions: dict[str, dict[str, Version]] = {
            model: {
                version: Version(self.holds, how.get("workers", 1), how.get("timeout_s", 60))
                for version, how in versions.items()
            }
            for model, versions in state["models"].items()
        }
        self.defaults = {model: next(iter(each)) for model, each in self.versions.items()}
        self.write_keys()

    def write_keys(self) -> None:
        kinds = ("management", "inference", "API")
        keys = {
            kind: {
                "key": f"{kind}-{self.inference if kind == 'inference' else 0}",
                "expiration time": "2999-01-01T00:00:00.000000Z",
            }
            for kind in kinds
        }
        (self.folder / "key_file.json").write_text(json.dumps(keys))

    def answer(self, method: str, path: Sequence[str], asked: dict[str, str]) -> Any:
        """Return the response's JSON; None where TorchServe refuses."""
        match method, *path:
            case "GET", "token":
                self.inference += asked["type"] == "inference"
                self.write_keys()
                return {}
            case "GET", "models":
                return {"models": [{"modelName": each} for each in self.versions]}
            case "POST", "models":
                manifest = json.loads((Path(asked["url"]) / "MAR-INF/MANIFEST.json").read_text())
                version = manifest["model"]["modelVersion"]
                workers = int(asked["initial_workers"])
                self.versions[asked["model_name"]][version] = Version(self.holds, workers, 60)
                return {}
            case "GET", "models", model, "all":
                return [each.description(model, v) for v, each in self.versions[model].items()]
            case "GET", "models", model, *named:
                version = named[0] if named else self.defaults[model]
                described = self.versions[model][version].description(model, version)
                if asked.get("customized"):
                    process = self.versions[model][version].describe_itself()
                    described["customizedMetadata"] = {"worker": {"process": process}}
                return [described]
            case "PUT", "models", model, version, "set-default":
                self.defaults[model] = version
                return {}
            case "PUT", "models", model, version:
                self.versions[model][version].scale(int(asked["max_worker"]))
                return {}
            case "DELETE", "models", model, version:
                others = len(self.versions[model]) > 1
                if version == self.defaults[model] and others:
                    return None
                self.versions[model].pop(version).scale(0)
                if not others:
                    del self.versions[model]
                return {}
            case "PUT", "simulated", "pending", model, version, waiting:
                self.versions[model][version].pending = int(waiting)
                return {}
        return None


def main() -> None:
    properties, state = Path(sys.argv[1]), json.loads(sys.argv[2])
    folder, port = properties.parent, int(state["port"])
    assert read_properties(properties) is not None
    models = Models(folder, state)
    calls = (folder / "calls.log").open("a")

    class Management(BaseHTTPRequestHandler):
        def respond(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            given = self.headers["Authorization"].removeprefix("Bearer ")
            print(self.command, self.path, given, file=calls, flush=True)
            if f"{self.command} {parts.path}" in models.refused:
                answer = None
            else:
                answer = models.answer(self.command, parts.path.strip("/").split("/"), asked)
            body = json.dumps({"message": "refused"} if answer is None else answer).encode()
            self.send_response(500 if answer is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = respond

        def log_message(self, *_: object) -> None:
            return

    class Inference(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = bytes(8 << 20)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            return

    servers = [
        ThreadingHTTPServer(("127.0.0.1", number), handler)
        for number, handler in ((port, Inference), (port + 1, Management))
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "tmp" / ".up").touch()
    signal.pause()


if __name__ == "__main__":
    main()
