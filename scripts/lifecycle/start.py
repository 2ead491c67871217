"""Start a TorchServe with one model, after the one that runs on its port has ended."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.common.locks import locked
from scripts.common.paths import ROOT
from scripts.lifecycle.drain import stop
from scripts.lifecycle.maintenance import write_empty_model
from scripts.torchserve.batching import AS_ARCHIVED, Batching
from scripts.torchserve.config import DEFAULT_PORT, ServerConfig
from scripts.torchserve.machine import Machine
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.worker_plan import (
    MEMORY_OF_A_WORKER,
    Profile,
    WorkerPlan,
    plan_workers,
)

PROPERTIES = ROOT / "config.properties"


@contextmanager
def start_lock(config: ServerConfig) -> Iterator[None]:
    """Let one ``make serve`` start a server, while others on its port and build folder wait.

    Raises:
        ServerError: the server's folder can't be written.
    """
    config.make_folder()
    with locked(config.folder, f"another make serve uses port {config.port}; waiting for it"):
        yield


def make_room(
    config: ServerConfig,
    profile: Profile,
    workers: int | None = None,
    gpus: int = 0,
    memory: int = MEMORY_OF_A_WORKER,
    *,
    now: bool = False,
) -> WorkerPlan:
    """End what an earlier call left running, and plan with the memory that it has given back.

    It is drained before, unless `now`. `memory` is the most that a worker takes.

    Raises:
        ServerError: it does not end.
    """
    if end_server(config, now=now):
        print(f"stopped the server that was running on port {config.port}", flush=True)
    return plan_workers(Machine.here(), profile, workers, gpus, memory)


def end_server(config: ServerConfig, *, now: bool) -> bool:
    """End the server that runs, drained unless `now`; return whether one ran."""
    return TorchServeProcess(config).stop() if now else stop(config)


def start_server(
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
        print(f"starting TorchServe on port {config.port}", flush=True)
        process.start(PROPERTIES, wheels, plan)
        write_empty_model(config)
        api.wait_until_up()
        print(
            f"  up after {time.monotonic() - start:.0f} s; starting {plan.workers} worker(s) with "
            f"{model} {version}",
            flush=True,
        )
        if config.only_model:
            api.wait_until_ready(model, version, plan.workers)
        else:
            api.register(model, version, plan.workers, batching)
        _print_ready(config, model, version, plan, time.monotonic() - start)
    except BaseException:  # an interruption as well
        process.stop()
        raise


def _print_ready(
    config: ServerConfig, model: str, version: str, plan: WorkerPlan, seconds: float
) -> None:
    print(f"READY after {seconds:.1f} s: {model} {version}, {plan}")
    warn_of_crowding(plan, plan.workers)
    print(f"  POST pictures to {config.inference_address}/predictions/{model}")
    if config.kserve:
        print(f"  in KServe's protocol {config.kserve}: /{config.kserve}/models/{model}; no token")
        return
    port = "" if config.port == DEFAULT_PORT else f" PORT={config.port}"
    print(f"  with the header  Authorization: Bearer $(make -s token{port})", flush=True)


def warn_of_crowding(plan: WorkerPlan | None, workers: int) -> None:
    """Print a warning where so many workers do not fit the plan's machine."""
    if plan and (warning := plan.warning(workers)):
        print(warning, file=sys.stderr)
