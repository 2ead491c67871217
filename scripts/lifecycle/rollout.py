"""Replace the served version of a model by a new one without failing a request."""

import signal
from io import BytesIO
from typing import Any

from PIL import Image

from scripts.archive.build import archived_metadata
from scripts.common.running import deferred
from scripts.lifecycle.drain import remove
from scripts.lifecycle.maintenance import served_version
from scripts.torchserve.batching import AS_ARCHIVED, Batching
from scripts.torchserve.config import ServerError
from scripts.torchserve.inference_api import request_cutout
from scripts.torchserve.management_api import ManagementApi

SMOKE_TEST_SIZE = (64, 48)


def check_precision(api: ManagementApi, model: str, version: str) -> None:
    """Refuse to roll out an archive that calculates in another precision than the served version.

    For a user who has not chosen one: ``make`` builds what is best here, whatever is served.

    Raises:
        ServerError: it does.
    """
    served = served_version(api, model)
    described = api.describe(model, served)
    # Only a worker that is READY describes itself; where there is none, nothing is lost.
    ready = any(worker["status"] == "READY" for worker in described["workers"])
    archived = archived_metadata(api.config.store / f"{model}.mar")
    if served == version or not ready or archived is None:
        return
    precision = api.customized(model, served).get("precision", archived.precision)
    if precision != archived.precision:
        raise ServerError(
            f"{model} {served} is served in {precision}, but the new archive is in "
            f"{archived.precision}: set PRECISION={precision} or PRECISION={archived.precision}"
        )


def roll_out(
    api: ManagementApi, model: str, version: str, batching: Batching = AS_ARCHIVED
) -> None:
    """Register a version, test it, make it the default, drain the others and remove them.

    Until the new version has answered a test request, nothing changes for clients. All versions are
    in memory meanwhile. An old one is removed only when its queue is empty and its workers are
    idle; a hangup does not interrupt that. Called again, an interrupted rollout continues.

    Raises:
        ServerError: the new version does not start or fails its test, and was removed again, the
            old one serves on; or an old one's queue does not empty, and it stays.
    """
    served = api.describe(model, served_version(api, model))
    if new := served["modelVersion"] != version:
        _introduce(api, model, version, served, batching)
    with deferred(signal.SIGHUP):
        _switch(api, model, version, new=new)
        found = [each["modelVersion"] for each in api.versions(model)]
        if found == [version]:
            raise ServerError(f"{model} {version} is already served: choose another VERSION")
        old = [each for each in found if each != version]
        print(f"{model} {version} serves; draining {', '.join(old)}", flush=True)
        remove(api, model, old)


def _introduce(
    api: ManagementApi, model: str, version: str, served: dict[str, Any], batching: Batching
) -> None:
    """Register a new version beside the served one, and test it."""
    print(f"registering {model} {version} beside {served['modelVersion']}", flush=True)
    api.register(model, version, served["minWorkers"], batching)
    try:
        _smoke_test(api, model, version)
    except BaseException as error:  # an interruption as well
        api.unregister(model, version)
        if not isinstance(error, Exception):
            raise
        raise ServerError(
            f"{model} {version} failed its test and was removed; {served['modelVersion']} still "
            f"serves: {error}"
        ) from error


def _switch(api: ManagementApi, model: str, version: str, *, new: bool) -> None:
    """Make a version the default; it may be so, and closed, where a stop was killed."""
    try:
        with deferred():
            api.set_default(model, version)
    except ServerError:
        if new:
            api.unregister(model, version)
        raise


def _smoke_test(api: ManagementApi, model: str, version: str) -> None:
    picture = BytesIO()
    Image.linear_gradient("L").resize(SMOKE_TEST_SIZE).save(picture, "PNG")
    response = request_cutout(api.config, model, picture.getvalue(), version=version)
    with Image.open(BytesIO(response)) as cutout:
        # Whole, and of its size; a custom handler may do without transparency.
        cutout.load()
        if cutout.size != SMOKE_TEST_SIZE:
            raise ServerError(f"its response has size {cutout.size}, not {SMOKE_TEST_SIZE}")
