"""Start, fill, watch and end one TorchServe: what the Makefile's server targets call."""

import argparse
import os
import signal
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from archive_record import ArchiveRecordError, verify_archive
from closed_models import open_versions, reopen, served_version
from drain import remove, scale, stop
from foreground import check_ready, watch_over
from gpu_serving import batching_for, gpus_for
from machine import Machine
from management_api import AS_ARCHIVED, TOKEN_MARGIN_FOR_PEOPLE, Batching, ManagementApi
from model_version import VersionError, checked_version
from rollout import check_precision, roll_out
from server_config import DEFAULT_PORT, KSERVE_ENVELOPES, ServerConfig, ServerError
from server_status import status
from torchserve_process import TorchServeProcess
from worker_plan import (
    MEMORY_OF_A_WORKER,
    Profile,
    WorkerPlan,
    memory_of_a_worker,
    plan_workers,
)

ROOT = Path(__file__).resolve().parents[1]


def make_room(
    config: ServerConfig,
    profile: Profile,
    workers: int | None = None,
    gpus: int = 0,
    memory: int = MEMORY_OF_A_WORKER,
    *,
    now: bool = False,
) -> WorkerPlan:
    """End whatever an earlier call left running, and plan with the memory that it has given back.

    What it was given is answered first, but with `now`. `memory` is the most that a worker takes.

    Raises:
        ServerError: it does not end.
    """
    if _end(config, now):
        print(f"stopped the server that was running on port {config.port}", flush=True)
    return plan_workers(Machine.here(), profile, workers, gpus, memory)


def _end(config: ServerConfig, now: bool) -> bool:
    return TorchServeProcess(config).stop() if now else stop(config)


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
    if config.kserve:
        print(f"  in KServe's protocol {config.kserve}: /{config.kserve}/models/{model}; no token")
        return
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


def unregister(api: ManagementApi, model: str, version: str | None, *, now: bool = False) -> None:
    """Remove a version of a model, or all of them, when what they were given is answered.

    `now`: at once.

    Raises:
        ServerError: nothing of that name is registered, or it takes too long.
    """
    found = [entry["modelVersion"] for entry in api.versions(model)]
    if not found or (version and version not in found):
        named = f"{model} {version}" if version else model
        raise ServerError(f"{named} is not registered; see make status")
    if version == served_version(api, model) and len(open_versions(api, model)) > 1:
        raise ServerError(
            f"{model} {version} is what requests get, and others are there: make rollout "
            "VERSION=<another> replaces it; make unregister without VERSION removes all"
        )
    if not now:
        remove(api, model, [version] if version else open_versions(api, model))
        return
    default = api.describe(model)["modelVersion"]
    # TorchServe removes the default only when it is the last.
    for each in [version] if version else sorted(found, key=lambda v: v == default):
        api.unregister(model, each)
        print(f"{model} {each} is removed")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    ServerConfig.add_arguments(parser)
    parser.add_argument(
        "command",
        choices=(
            *("serve", "register", "unregister", "scale"),
            *("status", "ready", "token", "stop", "rollout"),
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
    parser.add_argument(
        "--now", action="store_true", help="don't wait until what was accepted is answered"
    )
    parser.add_argument("--wheels", type=Path, help="folder with the wheels of the requirements")
    parser.add_argument("--expose", default="", help="what other machines may reach, by commas")
    parser.add_argument("--locked", action="store_true", help="serve this model and no other, ever")
    parser.add_argument(
        "--kserve",
        choices=list(KSERVE_ENVELOPES),
        help="speak this protocol of KServe's, without tokens",
    )
    parser.add_argument(
        "--foreground", action="store_true", help="stay until the server ends, or drain and end it"
    )
    parser.add_argument("--kind", choices=("inference", "management"), default="inference")
    return parser.parse_args()


def _run(arguments: argparse.Namespace) -> None:
    config = replace(
        ServerConfig.from_arguments(arguments),
        exposed=frozenset(arguments.expose.replace(",", " ").split()),
        # Without tokens, nobody may register anything either.
        only_model=arguments.model if arguments.locked or arguments.kserve else None,
        kserve=arguments.kserve,
    )
    api = ManagementApi(config)
    model, version, workers = arguments.model, arguments.version, arguments.workers
    if workers is not None and workers < 1:
        raise ServerError(f"WORKERS={workers}: at least one is needed")
    if version is not None:
        checked_version(version)
    if config.speaks_kserve and arguments.command in {"register", "unregister", "rollout"}:
        raise ServerError(
            "a server that speaks KServe's protocol keeps the model it was started with: start "
            "another one beside it, or this one anew with make serve"
        )
    batching = Batching(arguments.batch_size, arguments.batch_delay)
    archive = config.store / f"{model}.mar"
    plan: WorkerPlan | None
    match arguments.command:
        case "serve":
            config.check_exposure(ROOT / "config.properties")
            metadata = verify_archive(archive, model, version)
            gpus = gpus_for(archive)
            if not config.kserve:  # its envelopes take batches of one alone
                batching = batching_for(gpus, batching)
            if config.only_model and batching != AS_ARCHIVED:
                raise ServerError(
                    "LOCKED=1 and KSERVE serve batches as handler/model-config.yaml says: set "
                    "batchSize and maxBatchDelay there"
                )
            memory = memory_of_a_worker(metadata.runtime)
            plan = make_room(config, arguments.profile, workers, gpus, memory, now=arguments.now)
            serve(config, arguments.wheels.resolve(), model, version, plan, batching)
            if arguments.foreground:
                watch_over(config)
        case "register":
            plan = TorchServeProcess(config).plan()
            workers = workers or _planned_workers(plan)
            verify_archive(archive, model, version)
            batching = batching_for(gpus_for(archive), batching)
            api.register(model, version, workers, batching)
            reopen(api, model, version)
            print(f"{model} {version}: {workers} worker(s) READY")
            _warn(plan, workers)
        case "unregister":
            unregister(api, model, version, now=arguments.now)
        case "scale":
            plan = TorchServeProcess(config).plan()
            workers = workers or _planned_workers(plan)
            change = api.scale if arguments.now else partial(scale, api)
            change(model, served_version(api, model), workers)
            print(f"{model}: {workers} worker(s) READY")
            _warn(plan, workers)
        case "status":
            status(config)
        case "ready":
            check_ready(api, model)
        case "token":
            print(api.token(arguments.kind, TOKEN_MARGIN_FOR_PEOPLE))
        case "stop":
            stopped = _end(config, arguments.now)
            print("stopped" if stopped else f"no server runs on port {config.port}")
        case "rollout":
            verify_archive(archive, model, version)
            if not arguments.precision_chosen:
                check_precision(api, model, version)
            roll_out(api, model, version, batching_for(gpus_for(archive), batching))


def main() -> None:
    """Run the command line."""
    arguments = _parse()
    # Ended from outside, a command puts back what it has begun, as it does for ^C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"make {arguments.command}: ended"))
    try:
        _run(arguments)
        sys.stdout.flush()
    except (ArchiveRecordError, ServerError, VersionError) as error:
        sys.exit(f"make {arguments.command}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"make {arguments.command}: interrupted")
    except BrokenPipeError:
        # Whoever read it, such as head, has seen enough. Python would complain when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
