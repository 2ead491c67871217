"""Remove a model, or a version of it, from a running server."""

from scripts.lifecycle.drain import remove
from scripts.lifecycle.maintenance import open_versions, served_version
from scripts.torchserve.config import ServerError
from scripts.torchserve.management_api import ManagementApi


def remove_model(api: ManagementApi, model: str, version: str | None, *, now: bool = False) -> None:
    """Remove a version of a model, or all of them, drained unless `now`.

    Raises:
        ServerError: nothing of that name is registered, or it takes too long.
    """
    found = [entry["modelVersion"] for entry in api.versions(model)]
    if not found or (version and version not in found):
        named = f"{model} {version}" if version else model
        raise ServerError(f"{named} is not registered; see make status")
    if version == served_version(api, model) and len(open_versions(api, model)) > 1:
        raise ServerError(
            f"{model} {version} is the served version, and there are others. To replace it: make "
            "rollout VERSION=<another>. To remove all: make unregister without VERSION"
        )
    if not now:
        remove(api, model, [version] if version else open_versions(api, model))
        return
    default = api.describe(model)["modelVersion"]
    # TorchServe removes the default only when it is the last.
    for each in [version] if version else sorted(found, key=lambda v: v == default):
        api.unregister(model, each)
        print(f"{model} {each} is removed")
