"""Start, fill, watch and end one TorchServe: what the Makefile's server targets call."""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from archive_record import ArchiveRecordError, verify_archive
from gpu_serving import batching_for, gpus_for
from machine import Machine
from management_api import AS_ARCHIVED, TOKEN_MARGIN_FOR_PEOPLE, Batching, ManagementApi
from model_version import VersionError, checked_version
from rollout import check_precision, roll_out
from server_config import DEFAULT_PORT, ServerConfig, ServerError
from torchserve_process import TorchServeProcess
from worker_plan import Profile, WorkerPlan, plan_workers

ROOT = Path(__file__).resolve().parents[1]


def make_room(
    config: ServerConfig, profile: Profile, workers: int | None = None, gpus: int = 0
) -> WorkerPlan:
    """End whatever an earlier call left running, and plan with the memory that it has given back.

    Raises:
        ServerError: it does not end.
    """
    if TorchServeProcess(config).stop():
        print(f"stopped the server that was running on port {config.port}", flush=True)
    return plan_workers(Machine.here(), profile, workers, gpus)


def serve(
    config: ServerConfig,
    wheels: Path,
    model: str,
    version: str,
    plan: WorkerPlan,
    batching: Batching = AS_ARCHIVED,
) -> None:
    """Start a server with one model, where ``make_room`` has ended an earlier one.

    Raises:
        ServerError: the server or the model does not start.
    """
    start = time.monotonic()
    process, api = TorchServeProcess(config), ManagementApi(config)
    try:
        process.start(ROOT / "config.properties", wheels, plan)
        api.wait_until_up()
        print(f"TorchServe is up; loading {model} {version}", flush=True)
        if config.only_model:
            api.wait_until_ready(model, version, plan.workers)
        else:
            api.register(model, version, plan.workers, batching)
    except BaseException:  # also when the user gives up: nobody else knows of the server yet
        process.stop()
        raise
    print(f"READY after {time.monotonic() - start:.1f} s: {model} {version}, {plan}")
    _warn(plan, plan.workers)
    print(f"  POST pictures to {config.inference_address}/predictions/{model}")
    port = "" if config.port == DEFAULT_PORT else f" PORT={config.port}"
    print(f"  with the header  Authorization: Bearer $(make -s token{port})")


def _planned_workers(plan: WorkerPlan | None) -> int:
    if plan is None:
        raise ServerError(
            "this server was not started with a plan of this version's: say WORKERS=<how many>, or "
            "start it anew with make serve"
        )
    return plan.workers


def _warn(plan: WorkerPlan | None, workers: int) -> None:
    if plan and (warning := plan.warning(workers)):
        print(warning, file=sys.stderr)


def unregister(api: ManagementApi, model: str, version: str | None) -> None:
    """Remove a version of a model, or all of them.

    Raises:
        ServerError: nothing of that name is registered.
    """
    found = [entry["modelVersion"] for entry in api.versions(model)]
    if not found or (version and version not in found):
        named = f"{model} {version}" if version else model
        raise ServerError(f"{named} is not registered; see make status")
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
    plan = TorchServeProcess(config).plan()
    print(f"planned for {plan}" if plan else "its plan of workers and cores is not known")
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
        print(
            f"  worker {worker['id']}: {worker['status']}, process {worker['pid']}"
            f"{_whereabouts(worker['pid'])}"
        )
    if any(worker["status"] == "READY" for worker in described["workers"]):
        for name, value in api.customized(model, version).items():
            print(f"  {name}: {value}")


def _whereabouts(pid: int) -> str:
    try:
        return f", on CPU {','.join(map(str, psutil.Process(pid).cpu_affinity()))}"
    except (psutil.Error, ValueError):  # it is just being started, or has just ended
        return ""


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
    parser.add_argument("--model", default="u2net")
    parser.add_argument("--version", help="by default, of unregister: all")
    parser.add_argument(
        "--profile", choices=list(Profile), type=Profile, default=Profile.THROUGHPUT
    )
    parser.add_argument("--workers", type=int, help="by default, as the profile says")
    parser.add_argument("--batch-size", type=int, help="by default, as the archive says")
    parser.add_argument("--batch-delay", type=int, help="ms; by default, as the archive says")
    parser.add_argument(
        "--precision-chosen",
        action="store_true",
        help="roll out whatever the archive calculates in",
    )
    parser.add_argument("--wheels", type=Path, help="folder with the wheels of the requirements")
    parser.add_argument("--expose", default="", help="what other machines may reach, by commas")
    parser.add_argument("--locked", action="store_true", help="serve this model and no other, ever")
    parser.add_argument("--kind", choices=("inference", "management"), default="inference")
    return parser.parse_args()


def _run(arguments: argparse.Namespace) -> None:
    config = replace(
        ServerConfig.from_arguments(arguments),
        exposed=frozenset(arguments.expose.replace(",", " ").split()),
        only_model=arguments.model if arguments.locked else None,
    )
    api = ManagementApi(config)
    model, version, workers = arguments.model, arguments.version, arguments.workers
    if workers is not None and workers < 1:
        raise ServerError(f"WORKERS={workers}: at least one is needed")
    if version is not None:
        checked_version(version)
    batching = Batching(arguments.batch_size, arguments.batch_delay)
    archive = config.store / f"{model}.mar"
    plan: WorkerPlan | None
    match arguments.command:
        case "serve":
            config.check_exposure(ROOT / "config.properties")
            verify_archive(archive, model, version)
            gpus = gpus_for(archive)
            batching = batching_for(gpus, batching)
            if config.only_model and batching != AS_ARCHIVED:
                raise ServerError(
                    "LOCKED=1 serves batches as handler/model-config.yaml says: set batchSize and "
                    "maxBatchDelay there"
                )
            plan = make_room(config, arguments.profile, workers, gpus)
            serve(config, arguments.wheels.resolve(), model, version, plan, batching)
        case "register":
            plan = TorchServeProcess(config).plan()
            workers = workers or _planned_workers(plan)
            verify_archive(archive, model, version)
            batching = batching_for(gpus_for(archive), batching)
            api.register(model, version, workers, batching)
            print(f"{model} {version}: {workers} worker(s) READY")
            _warn(plan, workers)
        case "unregister":
            unregister(api, model, version)
        case "scale":
            plan = TorchServeProcess(config).plan()
            workers = workers or _planned_workers(plan)
            api.scale(model, api.describe(model)["modelVersion"], workers)
            print(f"{model}: {workers} worker(s) READY")
            _warn(plan, workers)
        case "status":
            status(config)
        case "token":
            print(api.token(arguments.kind, TOKEN_MARGIN_FOR_PEOPLE))
        case "stop":
            stopped = TorchServeProcess(config).stop()
            print("stopped" if stopped else f"no server runs on port {config.port}")
        case "rollout":
            verify_archive(archive, model, version)
            if not arguments.precision_chosen:
                check_precision(api, model, version)
            roll_out(api, model, version, batching_for(gpus_for(archive), batching))


def main() -> None:
    """Run the command line."""
    arguments = _parse()
    try:
        _run(arguments)
    except (ArchiveRecordError, ServerError, VersionError) as error:
        sys.exit(f"make {arguments.command}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"make {arguments.command}: interrupted")


if __name__ == "__main__":
    main()
