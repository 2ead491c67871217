"""Ends servers, versions and workers only when every accepted request has its response."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil

from scripts.common.locks import wait_for_lock
from scripts.lifecycle.deadline import Deadline, OverdueError
from scripts.lifecycle.idle import wait_for_processes
from scripts.lifecycle.maintenance import closed, open_versions
from scripts.lifecycle.pause_workers import paused
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.send_queues import unsent_bytes
from scripts.torchserve.versions import CLOSED

# What a full queue may take, besides the response timeout of a request that is in progress.
QUEUE_LIMIT_S = 120
# Bytes in flight are gone for a moment between two pieces of a response.
SILENCE_S = 0.5


def deadline_for(api: ManagementApi, model: str) -> Deadline:
    """Return how long a command may wait for the responses of all versions of a model."""
    timeouts = [each["responseTimeout"] for each in api.versions(model)]
    return Deadline(QUEUE_LIMIT_S + max(timeouts, default=0))


def stop(config: ServerConfig) -> bool:
    """Drain a server and end it; return whether there was one.

    Requests are refused from now on: those for a model with 503, those that name a version with
    400 as soon as nothing else is left to do, since only a new token keeps them out. When every
    accepted request has its response, and that has reached the client, the server ends. If this is
    interrupted before, the server goes on.

    Without tokens or the model API, as under KServe, nothing can be refused: clients must have
    stopped before.

    Raises:
        ServerError: it does not end.
    """
    process = TorchServeProcess(config)
    running = process.find()
    if running is None:
        return process.stop()
    with _only_one(config):
        # Another command may have ended it meanwhile, and started a new one.
        if process.find() != running:
            return True
        with _marked(config):
            _drain(process, running)
        return True


def _drain(process: TorchServeProcess, running: psutil.Process) -> None:
    api, deadline = ManagementApi(process.config), Deadline(QUEUE_LIMIT_S)
    with ExitStack() as opened:
        try:
            try:
                models = [entry["modelName"] for entry in api.models()]
                limits = [deadline_for(api, model).seconds for model in models]
                deadline = Deadline(max(limits, default=0))
                print(
                    f"refusing new requests; at most {deadline.seconds:.0f} s for those before "
                    "(at once: make stop NOW=1)",
                    flush=True,
                )
                _close(api, models, deadline, opened)
                api.renew_token("inference")
                _wait_for_all(api, models, deadline, emptied=True)
            except OverdueError:
                raise
            except ServerError as error:
                if process.find() != running:
                    process.stop(running)
                    return
                # As where the disk is full, or the tokens are gone.
                print(f"{error}; waiting until its workers are idle", file=sys.stderr)
                workers = [worker.pid for worker in running.children(recursive=True)]
                wait_for_processes(workers, deadline, "a worker is busy")
            _wait_until_sent(process.config, running.pid, deadline)
        except (ServerError, psutil.Error) as error:
            print(f"ending it all the same: {error}", file=sys.stderr)
        except BaseException:
            print("the server goes on; clients may need a new token: make token", file=sys.stderr)
            raise
        process.stop(running)


def _close(api: ManagementApi, models: list[str], deadline: Deadline, opened: ExitStack) -> None:
    """Close the models until `opened` ends, and wait for what they were given; report a failure."""
    try:
        opened.enter_context(closed(api, models))
        _wait_for_all(api, models, deadline, emptied=False)
    except OverdueError:
        raise
    except ServerError as error:
        instead = (
            "requests are refused with status 400 instead"
            if api.config.asks_for_tokens
            else "without tokens no request can be refused until the server ends"
        )
        print(f"{error}; {instead}", file=sys.stderr)


def _wait_for_all(
    api: ManagementApi, models: list[str], deadline: Deadline, *, emptied: bool
) -> None:
    """Wait for the responses to what came before, and with `emptied` also to all that came since.

    The queues are first in, first out, and a worker is paused through them only.
    """
    for model in models:
        for version in open_versions(api, model):
            with paused(api, model, version, deadline, emptied=emptied):
                pass


def _wait_until_sent(config: ServerConfig, pid: int, deadline: Deadline) -> None:
    ports = {config.port, config.port_of("grpc_inference")}
    silent_since = deadline.elapsed
    while deadline.elapsed - silent_since < SILENCE_S:
        unsent = unsent_bytes(pid, ports)
        if unsent:
            silent_since = deadline.elapsed
        if not deadline.wait(f"{unsent} bytes are on their way to clients"):
            raise OverdueError(f"{unsent} bytes have not reached their clients")


def remove(api: ManagementApi, model: str, versions: list[str]) -> None:
    """Unregister versions, each when every request that it was given has its response.

    Requests that name a version wait meanwhile, and then find none: 404. If all versions of a model
    are removed, requests for the model are refused from the start, with 503.

    Raises:
        OverdueError: that takes too long; the version stays.
    """
    if set(open_versions(api, model)) - set(versions):
        for version in versions:
            _remove_one(api, model, version)
        return
    with closed(api, [model]):
        for version in versions:
            _remove_one(api, model, version)
    # TorchServe removes the default only when it is the last.
    api.unregister(model, CLOSED)


def _remove_one(api: ManagementApi, model: str, version: str) -> None:
    with paused(api, model, version, deadline_for(api, model)):
        api.unregister(model, version)
    print(f"{model} {version} is removed", flush=True)


def scale(api: ManagementApi, model: str, version: str, workers: int) -> None:
    """Set the number of workers of a version; those beyond end only when they are idle.

    Raises:
        ServerError: they don't, or the new ones don't get READY.
    """
    # TorchServe ends those at the end of its list.
    if len(api.describe(model, version)["workers"]) <= workers:
        api.scale(model, version, workers)
        return
    deadline = deadline_for(api, model)
    with paused(api, model, version, deadline, keep=workers, emptied=False):
        api.scale(model, version, workers)


@contextmanager
def _marked(config: ServerConfig) -> Iterator[None]:
    """Let the gateway know that the server drains, until the next one starts or this fails."""
    with suppress(OSError):  # the gateway finds out by the responses
        config.draining_file.touch()
    try:
        yield
    except BaseException:  # an interruption as well
        config.draining_file.unlink(missing_ok=True)
        raise


@contextmanager
def _only_one(config: ServerConfig) -> Iterator[None]:
    """Let a second ``make stop`` wait for the first."""
    with ExitStack() as opened:
        with suppress(OSError):  # the disk is full; two at once refuse and wait for the same
            lock = opened.enter_context((config.folder / "stop.lock").open("a"))
            wait_for_lock(lock, "another make stop is running; waiting for it")
        yield
