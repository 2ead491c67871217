"""Supervises a server in the foreground, as in a container, and checks whether it is ready."""

import sys
import time

from scripts.lifecycle.drain import stop
from scripts.lifecycle.recovery import recover_all
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess

PAUSE_S = 1
# How often workers that were given up are looked for.
LOOK_S = 30


def supervise(config: ServerConfig) -> None:
    """Stay until the server ends; on SIGTERM, SIGHUP or ^C drain it and end it.

    Workers that TorchServe has given up are recovered; where that fails, it is tried again.

    Raises:
        ServerError: the server ended by itself.
    """
    process = TorchServeProcess(config)
    looked = time.monotonic()
    try:
        while process.find():
            time.sleep(PAUSE_S)
            if time.monotonic() - looked > LOOK_S:
                _recover(config)
                looked = time.monotonic()
    except (KeyboardInterrupt, SystemExit):
        stop(config)
        print("stopped", flush=True)
        return
    except BaseException:  # it would run unsupervised
        stop(config)
        raise
    raise ServerError(f"TorchServe ended:\n{process.last_words()}")


def _recover(config: ServerConfig) -> None:
    try:
        recover_all(config)
    except ServerError as error:  # a server under load may miss a call
        print(f"{error}; looking again in {LOOK_S} s", file=sys.stderr, flush=True)


def check_ready(api: ManagementApi, model: str) -> None:
    """Make sure that a worker of a model is READY, so that a request would be served.

    Raises:
        ServerError: none is.
    """
    workers = api.describe(model)["workers"]
    ready = sum(worker["status"] == "READY" for worker in workers)
    if not ready:
        raise ServerError(f"none of {len(workers)} worker(s) of {model} is READY")
    print(f"{ready} of {len(workers)} worker(s) READY")
