"""Closes the models of a server: requests for them are refused at once, those before go on.

The default version of each becomes an empty one without workers, for which TorchServe responds 503.
That one is a folder beside the server's own files, written when the server starts: closing writes
nothing into the model store, and next to nothing elsewhere.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.versions import CLOSED, newest
from u2net_cutout.local.member_names import MANIFEST


@contextmanager
def closed(api: ManagementApi, models: list[str]) -> Iterator[None]:
    """Close models for good; open them again if what is done inside fails or is interrupted.

    Requests that name a version are not refused.

    Raises:
        ServerError: one can't be closed, as when the disk is full.
    """
    before: dict[str, str] = {}
    try:
        for model in models:
            if open_versions(api, model):
                before[model] = served_version(api, model)
            _close(api, model)
        yield
    except BaseException:  # an interruption as well
        for model, version in before.items():
            with suppress(ServerError):  # the server may be gone
                left = open_versions(api, model)
                if left:  # another command may have removed it meanwhile
                    api.set_default(model, version if version in left else newest(left) or version)
                api.unregister(model, CLOSED)
        raise


def reopen(api: ManagementApi, model: str, version: str) -> None:
    """Open a model to its only version, if a command that was killed has left it closed."""
    if api.describe(model)["modelVersion"] == CLOSED and open_versions(api, model) == [version]:
        api.set_default(model, version)
        api.unregister(model, CLOSED)


def open_versions(api: ManagementApi, model: str) -> list[str]:
    """List the versions of a model without the empty one."""
    versions = [each["modelVersion"] for each in api.versions(model)]
    return [version for version in versions if version != CLOSED]


def served_version(api: ManagementApi, model: str) -> str:
    """Return the default version of a model; of a closed one, that which it will have again.

    It stays closed where a command was killed before it could open it.

    Raises:
        ServerError: there is none.
    """
    default = str(api.describe(model)["modelVersion"])
    version = default if default != CLOSED else newest(open_versions(api, model))
    if version is None:
        raise ServerError(f"{model} has no version: make register VERSION=<version>")
    return version


def write_empty_model(config: ServerConfig) -> Path:
    """Write the folder of the empty version, unless it is there; return it.

    Raises:
        ServerError: it can't be written.
    """
    folder = config.empty_model
    manifest = folder / MANIFEST
    if manifest.exists():
        return folder
    model = {"modelName": CLOSED, "modelVersion": CLOSED, "handler": CLOSED}
    content = {"runtime": "python", "model": model, "archiverVersion": "0.12.0"}
    try:
        manifest.parent.mkdir(parents=True, exist_ok=True)
        # TorchServe takes a folder that holds nothing but another one for that one.
        (folder / "empty").touch()
        part = manifest.with_suffix(".part")
        part.write_text(json.dumps(content), encoding="utf-8")
        part.replace(manifest)
    except OSError as error:
        raise ServerError(f"{folder} can't be written: {error.strerror}") from error
    return folder


def _close(api: ManagementApi, model: str) -> None:
    if api.find(model, CLOSED) is None:
        # A server that an earlier version has started has no such folder yet.
        api.register_folder(write_empty_model(api.config), model)
    api.set_default(model, CLOSED)
