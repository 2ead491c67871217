"""The commands that start, change, watch and end one TorchServe."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from scripts.archive.record import verify_archive
from scripts.common.options import parse
from scripts.common.paths import archive_of
from scripts.lifecycle.drain import scale as scale_drained
from scripts.lifecycle.gpu import batching_for, gpus_for
from scripts.lifecycle.maintenance import reopen, served_version
from scripts.lifecycle.removal import remove_model
from scripts.lifecycle.rollout import check_precision, roll_out
from scripts.lifecycle.start import (
    PROPERTIES,
    end_server,
    make_room,
    start_lock,
    start_server,
    warn_of_crowding,
)
from scripts.lifecycle.status import show_status
from scripts.lifecycle.supervisor import check_ready, supervise
from scripts.lifecycle.variables import ARCHIVED_BATCHES
from scripts.torchserve.batching import AS_ARCHIVED, Batching
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.machine import Machine
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.tokens import TOKEN_MARGIN_FOR_PEOPLE
from scripts.torchserve.versions import checked_version
from scripts.torchserve.worker_plan import Profile, WorkerPlan, fitting_workers, memory_of_a_worker
from u2net_cutout.network.metadata import ModelMetadata

SERVER = ("port", "build")
BATCHING = ("batch-size", "batch-delay")
VERSION = "1.0"


def serve(line: Sequence[str]) -> None:
    """Start TorchServe with a model READY."""
    options = ("profile", "workers", *BATCHING, "expose", "locked", "kserve", "foreground", "now")
    arguments = parse(
        "serve",
        "Start TorchServe with a model READY.",
        line,
        *SERVER,
        "model",
        "wheels",
        *options,
        version=VERSION,
    )
    model, version = arguments.model, checked_version(arguments.version)
    config = replace(
        _config(arguments),
        exposed=frozenset(arguments.expose),
        # Without tokens, no client may register a model either.
        only_model=model if arguments.locked or arguments.kserve else None,
        kserve=arguments.kserve,
    )
    config.check_binding(PROPERTIES)
    archive = archive_of(arguments.build, model)
    metadata = verify_archive(archive, model, version)
    gpus = gpus_for(archive)
    batching = _batching(arguments)
    if not config.kserve:  # its envelopes take batches of one alone
        batching = batching_for(gpus, batching)
    if config.only_model and batching != AS_ARCHIVED:
        raise ServerError(ARCHIVED_BATCHES)
    memory = memory_of_a_worker(metadata.runtime, metadata.variant)
    profile = Profile(arguments.profile)
    wheels = (arguments.wheels or arguments.build / "wheels").resolve()
    with start_lock(config):
        plan = make_room(config, profile, arguments.workers, gpus, memory, now=arguments.now)
        start_server(config, wheels, model, version, plan, batching)
    if arguments.foreground:
        supervise(config)


def register(line: Sequence[str]) -> None:
    """Register a model with the running server."""
    arguments = parse(
        "register",
        "Register a model with the running server.",
        line,
        *SERVER,
        "model",
        "workers",
        *BATCHING,
        version=VERSION,
    )
    config, api = _changeable(arguments)
    model, version = arguments.model, checked_version(arguments.version)
    plan = TorchServeProcess(config).plan()
    planned = arguments.workers or _planned_workers(plan)
    archive = archive_of(arguments.build, model)
    metadata = verify_archive(archive, model, version)
    workers = arguments.workers or _fitting(planned, model, metadata)
    api.register(model, version, workers, batching_for(gpus_for(archive), _batching(arguments)))
    reopen(api, model, version)
    print(f"{model} {version}: {workers} worker(s) READY")
    warn_of_crowding(plan, workers)


def unregister(line: Sequence[str]) -> None:
    """Remove a model, or one version of it, from the running server."""
    arguments = parse(
        "unregister",
        "Remove a model, or VERSION of it, from the running server.",
        line,
        *SERVER,
        "model",
        "version",
        "now",
    )
    _, api = _changeable(arguments)
    version = arguments.version and checked_version(arguments.version)
    remove_model(api, arguments.model, version, now=arguments.now)


def scale(line: Sequence[str]) -> None:
    """Set the number of a model's workers."""
    arguments = parse(
        "scale", "Set the number of a model's workers.", line, *SERVER, "model", "workers", "now"
    )
    config = _config(arguments)
    api, model = ManagementApi(config), arguments.model
    plan = TorchServeProcess(config).plan()
    workers = arguments.workers or _planned_workers(plan)
    change = api.scale if arguments.now else partial(scale_drained, api)
    change(model, served_version(api, model), workers)
    print(f"{model}: {workers} worker(s) READY")
    warn_of_crowding(plan, workers)


def rollout(line: Sequence[str]) -> None:
    """Replace the served version of a model without a failed request."""
    arguments = parse(
        "rollout",
        "Replace the served version of a model by VERSION.",
        line,
        *SERVER,
        "model",
        "precision",
        "runtime",
        *BATCHING,
        version=VERSION,
    )
    _, api = _changeable(arguments)
    model, version = arguments.model, checked_version(arguments.version)
    archive = archive_of(arguments.build, model)
    verify_archive(archive, model, version)
    if arguments.precision is None and arguments.runtime is None:
        check_precision(api, model, version)
    roll_out(api, model, version, batching_for(gpus_for(archive), _batching(arguments)))


def status(line: Sequence[str]) -> None:
    """Show the server, its models and workers; restart workers that TorchServe has given up."""
    arguments = parse("status", "Show the server, its models and workers.", line, *SERVER, "json")
    show_status(_config(arguments), as_json=arguments.json)


def logs(line: Sequence[str]) -> None:
    """Follow the server's logs."""
    config = _config(parse("logs", "Follow the server's logs.", line, *SERVER))
    files = [str(config.logs / f"{name}.log") for name in ("ts_log", "model_log", "request_log")]
    if not config.logs.is_dir():
        raise ServerError(f"no server has run on port {config.port} yet: make serve")
    os.execvp("tail", ["tail", "-n", "20", "-F", *files])  # noqa: S606, S607


def ready(line: Sequence[str]) -> None:
    """Succeed if a worker of a model is READY."""
    arguments = parse("ready", "Succeed if a worker is READY.", line, *SERVER, "model")
    check_ready(ManagementApi(_config(arguments)), arguments.model)


def token(line: Sequence[str]) -> None:
    """Print a valid token."""
    arguments = parse("token", "Print a valid token.", line, *SERVER, "kind")
    print(ManagementApi(_config(arguments)).token(arguments.kind, TOKEN_MARGIN_FOR_PEOPLE))


def stop(line: Sequence[str]) -> None:
    """Stop the server when every accepted request has its response, or NOW."""
    arguments = parse("stop", "Stop the server, drained unless NOW=1.", line, *SERVER, "now")
    config = _config(arguments)
    stopped = end_server(config, now=arguments.now)
    print("stopped" if stopped else f"no server runs on port {config.port}")


def _config(arguments: Any) -> ServerConfig:
    return ServerConfig.of(arguments.port, arguments.build)


def _batching(arguments: Any) -> Batching:
    return Batching(arguments.batch_size, arguments.batch_delay)


def _changeable(arguments: Any) -> tuple[ServerConfig, ManagementApi]:
    """Return a server whose models can be changed.

    Raises:
        ServerError: it speaks KServe's protocol.
    """
    config = _config(arguments)
    if config.speaks_kserve:
        raise ServerError(
            "a server that speaks KServe's protocol keeps the model it was started with: start "
            "another one beside it, or this one anew with make serve"
        )
    return config, ManagementApi(config)


def _fitting(planned: int, model: str, metadata: ModelMetadata) -> int:
    """Return how many of the planned workers there is memory for beside what is served already."""
    memory = memory_of_a_worker(metadata.runtime, metadata.variant)
    workers = fitting_workers(planned, Machine.here().memory, memory)
    if workers < planned:
        print(f"the free memory holds {workers} of {planned} worker(s) of {model}")
    return workers


def _planned_workers(plan: WorkerPlan | None) -> int:
    if plan is None:
        raise ServerError(
            "this server has no plan that this version knows: say WORKERS=<how many>, or "
            "start it anew with make serve"
        )
    return plan.workers
