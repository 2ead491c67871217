"""Replace the served version of a model by a new one without failing a request."""

import time
from io import BytesIO

from PIL import Image

from cutout import request_cutout
from management_api import ManagementApi
from server_config import ServerError

# How long requests that already wait for the old version may take to be drawn from its queue.
DRAIN_TIMEOUT_S = 120

SMOKE_TEST_SIZE = (64, 48)


def roll_out(api: ManagementApi, model: str, version: str) -> None:
    """Register a version, test it, make it the default, drain the one before and remove it.

    Until the new version has answered a test request, nothing changes for anyone. Both versions
    are in memory meanwhile. The old one is removed only when no request can still be on its way:
    its queue is empty, and one response timeout has passed since.

    Raises:
        ServerError: the new version does not start or does not answer, and was removed again, the
            old one serves on; or the old one's queue does not empty, and was left in place.
    """
    old = api.describe(model)
    if old["modelVersion"] == version:
        raise ServerError(f"{model} {version} is what is served now: choose another VERSION")
    print(f"registering {model} {version} beside {old['modelVersion']}", flush=True)
    api.register(model, version, old["minWorkers"], old["batchSize"], old["maxBatchDelay"])
    try:
        _smoke_test(api, model, version)
        api.set_default(model, version)
    except ServerError as error:
        api.unregister(model, version)
        raise ServerError(
            f"{model} {version} failed its test and was removed; {old['modelVersion']} serves on: "
            f"{error}"
        ) from error
    print(f"{model} {version} serves; draining {old['modelVersion']}", flush=True)
    _drain(api, model, old["modelVersion"])
    api.unregister(model, old["modelVersion"])
    print(f"{model} {old['modelVersion']} is removed")


def _smoke_test(api: ManagementApi, model: str, version: str) -> None:
    picture = BytesIO()
    Image.linear_gradient("L").resize(SMOKE_TEST_SIZE).save(picture, "PNG")
    answer = request_cutout(api.config, model, picture.getvalue(), version=version)
    with Image.open(BytesIO(answer)) as cutout:
        if cutout.size != SMOKE_TEST_SIZE or cutout.mode != "RGBA":
            raise ServerError(f"its cutout has mode {cutout.mode} and size {cutout.size}")


def _drain(api: ManagementApi, model: str, version: str) -> None:
    deadline = time.monotonic() + DRAIN_TIMEOUT_S
    while pending := api.describe(model, version)["jobQueueStatus"]["pendingRequests"]:
        if time.monotonic() > deadline:
            raise ServerError(
                f"{pending} requests still wait for {model} {version}, so it was left in place. "
                f"Later: make unregister VERSION={version}"
            )
        time.sleep(0.5)
    # Nobody can see whether a worker is at work; but no work outlasts the response timeout.
    seconds = api.describe(model, version)["responseTimeout"]
    print(f"its queue is empty; waiting {seconds} s for work in hand", flush=True)
    time.sleep(seconds)
