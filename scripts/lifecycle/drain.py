"""Ends servers, versions and workers only when what they were given is answered."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil

from scripts.lifecycle.deadline import OverdueError, Patience
from scripts.lifecycle.maintenance import closed, open_versions
from scripts.lifecycle.pause_workers import standing_still
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.send_queues import unsent_bytes
from scripts.torchserve.versions import CLOSED

# What a full queue may take, besides the response timeout of a request that is in hand.
QUEUE_LIMIT_S = 120
# Bytes in flight are gone for a moment between two pieces of an answer.
SILENCE_S = 0.5


def patience_for(api: ManagementApi, model: str) -> Patience:
    """Return how long a command may wait until what a model's versions were given is answered."""
    timeouts = [each["responseTimeout"] for each in api.versions(model)]
    return Patience(QUEUE_LIMIT_S + max(timeouts, default=0))


def stop(config: ServerConfig) -> bool:
    """Drain a server and end it; say whether there was one.

    Requests are refused from now on: those for a model with 503, those that name a version with
    400 as soon as nothing else is left to do, since only a new token keeps them out. When
    everything is answered and has reached the clients, the server ends. If this is interrupted
    before, the server goes on.

    Without tokens or the model API, as under KServe, nothing can be refused: whoever sends requests
    there must have been told to stop.

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
            try:
                _drain(process, running)
            except ServerError as error:
                if process.find() == running:
                    print(f"it can't be drained, ending it at once: {error}", file=sys.stderr)
            process.stop(running)
        return True


def _drain(process: TorchServeProcess, running: psutil.Process) -> None:
    api = ManagementApi(process.config)
    models = [entry["modelName"] for entry in api.models()]
    patience = Patience(max((patience_for(api, model).seconds for model in models), default=0))
    print(
        f"refusing new requests; at most {patience.seconds:.0f} s for those before "
        "(at once: make stop NOW=1)",
        flush=True,
    )
    with ExitStack() as opened:
        try:
            try:
                opened.enter_context(closed(api, models))
                _wait_for_all(api, models, patience, emptied=False)
            except OverdueError:
                raise
            except ServerError as error:
                print(f"{error}; {_instead(process.config)}", file=sys.stderr)
            api.renew_token("inference")
            _wait_for_all(api, models, patience, emptied=True)
            _wait_until_sent(process.config, running.pid, patience)
        except ServerError as error:
            print(f"ending it all the same: {error}", file=sys.stderr)
        except BaseException:
            print("the server goes on; clients may need a new token: make token", file=sys.stderr)
            raise
        process.stop(running)


def _instead(config: ServerConfig) -> str:
    if config.asks_for_tokens:
        return "they are refused with status 400 instead"
    return "nothing refuses them without a token, so they are answered until the server ends"


def _wait_for_all(
    api: ManagementApi, models: list[str], patience: Patience, *, emptied: bool
) -> None:
    """Wait until what came before is answered, and with `emptied` also all that came since.

    The queues are first in, first out, and a worker is only brought to a standstill through them.
    """
    for model in models:
        for version in open_versions(api, model):
            with standing_still(api, model, version, patience, emptied=emptied):
                pass


def _wait_until_sent(config: ServerConfig, pid: int, patience: Patience) -> None:
    ports = {config.port, config.port_of("grpc_inference")}
    silent_since = patience.spent
    while patience.spent - silent_since < SILENCE_S:
        unsent = unsent_bytes(pid, ports)
        if unsent:
            silent_since = patience.spent
        if not patience.wait(f"{unsent} bytes are on their way to clients"):
            raise OverdueError(f"{unsent} bytes have not reached their clients")


def remove(api: ManagementApi, model: str, versions: list[str]) -> None:
    """Unregister versions, each when what it was given is answered.

    Requests that name a version wait meanwhile, and then find none: 404. If all versions of a model
    are removed, requests for the model are refused from the start, with 503.

    Raises:
        OverdueError: that takes too long; the version is left in place.
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
    with standing_still(api, model, version, patience_for(api, model)):
        api.unregister(model, version)
    print(f"{model} {version} is removed", flush=True)


def scale(api: ManagementApi, model: str, version: str, workers: int) -> None:
    """Set the number of workers of a version; those beyond answer first what they have in hand.

    Raises:
        ServerError: they don't, or the new ones don't get READY.
    """
    # TorchServe ends those at the end of its list.
    if len(api.describe(model, version)["workers"]) <= workers:
        api.scale(model, version, workers)
        return
    patience = patience_for(api, model)
    with standing_still(api, model, version, patience, keep=workers, emptied=False):
        api.scale(model, version, workers)


@contextmanager
def _marked(config: ServerConfig) -> Iterator[None]:
    """Tell the gateway that the server drains, until the next one starts or this fails."""
    with suppress(OSError):  # the gateway finds it out by the answers
        config.draining_file.touch()
    try:
        yield
    except BaseException:  # also when the user gives up
        config.draining_file.unlink(missing_ok=True)
        raise


@contextmanager
def _only_one(config: ServerConfig) -> Iterator[None]:
    """Let a second ``make stop`` wait for the first."""
    try:
        lock = (config.folder / "stop.lock").open("w")
    except OSError as error:
        raise ServerError(f"it can't be drained: {error}; at once: make stop NOW=1") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another make stop is at it; waiting for that one", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
