"""Start, fill, watch and end one TorchServe: what the Makefile's server targets call."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from management_api import ManagementApi
from rollout import roll_out
from server_config import ServerConfig, ServerError
from torchserve_process import TorchServeProcess

ROOT = Path(__file__).resolve().parents[1]


def serve(
    config: ServerConfig, wheels: Path, model: str, version: str, workers: int, **batching: int
) -> None:
    """Start a server with one model; whatever an earlier call left running there is replaced.

    Raises:
        ServerError: the server or the model does not start.
    """
    start = time.monotonic()
    process, api = TorchServeProcess(config), ManagementApi(config)
    if process.stop():
        print(f"stopped the server that was running on port {config.port}")
    threads = max(1, (os.cpu_count() or 1) // workers)
    process.start(ROOT / "config.properties", wheels, threads)
    try:
        api.wait_until_up()
        print(f"TorchServe is up; loading {model} {version}", flush=True)
        api.register(model, version, workers, **batching)
    except BaseException:  # also when the user gives up: nobody else knows of the server yet
        process.stop()
        raise
    print(f"READY after {time.monotonic() - start:.1f} s: {model} {version}, {workers} worker(s)")
    print(f"  POST pictures to {config.inference_address}/predictions/{model}")
    print("  with the header  Authorization: Bearer $(make -s token)")


def unregister(api: ManagementApi, model: str, version: str | None) -> None:
    """Remove a version of a model, or all of them.

    Raises:
        ServerError: nothing of that name is registered.
    """
    found = [entry["modelVersion"] for entry in api.versions(model)]
    if not found or (version and version not in found):
        raise ServerError(f"{model} {version or ''} is not registered; see make status")
    default = api.describe(model)["modelVersion"]
    # TorchServe removes the default only when it is the last.
    for each in [version] if version else sorted(found, key=lambda v: v == default):
        api.unregister(model, each)
        print(f"{model} {each} is removed")


def status(config: ServerConfig) -> None:
    """Print what runs, with which models and workers."""
    process, api = TorchServeProcess(config).find(), ManagementApi(config)
    if process is None:
        print(f"no server runs on port {config.port}")
        return
    print(f"TorchServe, process {process.pid}, {config.inference_address}")
    for model in sorted(entry["modelName"] for entry in api.models()):
        default = api.describe(model)["modelVersion"]
        for described in api.versions(model):
            _print_version(api, described, default)


def _print_version(api: ManagementApi, described: dict[str, Any], default: str) -> None:
    model, version = described["modelName"], described["modelVersion"]
    queue = described["jobQueueStatus"]
    mark = " (default)" if version == default else ""
    print(f"{model} {version}{mark}: {queue['pendingRequests']} waiting")
    for worker in described["workers"]:
        print(f"  worker {worker['id']}: {worker['status']}, process {worker['pid']}")
    if any(worker["status"] == "READY" for worker in described["workers"]):
        for name, value in api.customized(model, version).items():
            print(f"  {name}: {value}")


def default_batching() -> dict[str, int]:
    """Read how the model is batched from its ``model-config.yaml``."""
    text = (ROOT / "handler" / "model-config.yaml").read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    return {"batch_size": config["batchSize"], "batch_delay_ms": config["maxBatchDelay"]}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    ServerConfig.add_arguments(parser)
    parser.add_argument(
        "command",
        choices=(
            *("serve", "register", "unregister", "scale"),
            *("status", "token", "stop", "rollout"),
        ),
    )
    batching = default_batching()
    parser.add_argument("--model", default="u2net")
    parser.add_argument("--version", help="by default, of unregister: all")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=batching["batch_size"])
    parser.add_argument("--batch-delay", type=int, default=batching["batch_delay_ms"], help="ms")
    parser.add_argument("--wheels", type=Path, help="folder with the wheels of the requirements")
    parser.add_argument("--kind", choices=("inference", "management"), default="inference")
    arguments = parser.parse_args()
    if arguments.workers < 1:
        parser.error("--workers must be 1 or more")
    return arguments


def _run(arguments: argparse.Namespace) -> None:
    config = ServerConfig.from_arguments(arguments)
    api = ManagementApi(config)
    model, version, workers = arguments.model, arguments.version, arguments.workers
    batching = {"batch_size": arguments.batch_size, "batch_delay_ms": arguments.batch_delay}
    match arguments.command:
        case "serve":
            serve(config, arguments.wheels.resolve(), model, version, workers, **batching)
        case "register":
            api.register(model, version, workers, **batching)
            print(f"{model} {version}: {workers} worker(s) READY")
        case "unregister":
            unregister(api, model, version)
        case "scale":
            api.scale(model, api.describe(model)["modelVersion"], workers)
            print(f"{model}: {workers} worker(s) READY")
        case "status":
            status(config)
        case "token":
            print(api.token(arguments.kind))
        case "stop":
            stopped = TorchServeProcess(config).stop()
            print("stopped" if stopped else f"no server runs on port {config.port}")
        case "rollout":
            roll_out(api, model, version)


def main() -> None:
    """Run the command line."""
    arguments = _parse()
    try:
        _run(arguments)
    except ServerError as error:
        sys.exit(f"make {arguments.command}: {error}")


if __name__ == "__main__":
    main()
