"""TorchServe's Management API: register, scale, describe, remove."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import requests

from scripts.common.http import local_session
from scripts.common.running import deferred
from scripts.torchserve.batching import AS_ARCHIVED, Batching
from scripts.torchserve.config import ServerConfig, ServerError
from scripts.torchserve.leftovers import VersionLeftovers
from scripts.torchserve.management_call import (
    REQUEST_TIMEOUT_S,
    AlreadyRegisteredError,
    InvalidTokenError,
    call,
)
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.tokens import TOKEN_MARGIN, TokenKind, Tokens

POLL_PAUSE_S = 0.2
# TorchServe lists no more at once.
MODELS_PER_PAGE = 100


@dataclass(frozen=True)
class ManagementApi:
    """The models of one server."""

    config: ServerConfig

    def wait_until_up(self, timeout_s: float = 60) -> None:
        """Wait until the API responds.

        Raises:
            ServerError: the server ends meanwhile, or never responds.
        """
        process = TorchServeProcess(self.config)
        for _ in _polls(timeout_s):
            if process.find() is None:
                raise ServerError(f"TorchServe ended:\n{process.last_words()}")
            try:
                # Any response will do, also that the token is missing.
                local_session().get(f"{self.config.management_address}/models", timeout=5)
            except requests.RequestException:
                continue
            if self.config.key_file.exists() or not self.config.asks_for_tokens:
                return
        raise ServerError(f"TorchServe does not respond:\n{process.last_words()}")

    def token(self, kind: TokenKind, margin: timedelta = TOKEN_MARGIN) -> str:
        """Return a token that is valid for at least `margin`, renewed if need be.

        It is empty if the server asks for none.

        Raises:
            ServerError: the server is not running.
        """
        return Tokens(self.config).valid(kind, margin)

    def renew_token(self, kind: TokenKind) -> None:
        """Replace a token, if there is one; the one before is refused from now on."""
        Tokens(self.config).renew(kind)

    def register_folder(self, folder: Path, model: str) -> None:
        """Register an unpacked archive under the name of a model, without workers."""
        parameters = {"url": str(folder), "model_name": model, "initial_workers": 0}
        self._manage("POST", "/models", parameters)

    def register(
        self, model: str, version: str, workers: int, batching: Batching = AS_ARCHIVED
    ) -> None:
        """Register ``<model>.mar`` and wait until its workers are READY.

        Raises:
            AlreadyRegisteredError: this version is registered already.
            ServerError: its workers don't start; it is unregistered again.
        """
        if self.find(model, version):
            raise AlreadyRegisteredError(
                f"{model} {version} is already registered. To replace it without a gap: "
                f"make rollout VERSION=<new>. To remove it: make unregister VERSION={version}"
            )
        parameters = {
            "url": f"{model}.mar",
            "initial_workers": workers,
            **batching.parameters(),
            # A synchronous call would hold one of the loops that also carry predictions.
            "synchronous": "false",
        }
        is_ours = True
        try:
            # TorchServe does not list a version, nor lets it be removed, until it is unpacked.
            with deferred():
                try:
                    self._manage("POST", "/models", parameters)
                except AlreadyRegisteredError:  # by another command at the same time
                    is_ours = False
                    raise
            self.wait_until_ready(model, version, workers)
        except BaseException:  # an interruption as well, also one that came with that error
            if is_ours and self.find(model, version):
                self.unregister(model, version)
            raise

    def wait_until_ready(self, model: str, version: str, workers: int) -> None:
        """Wait until `workers` workers of a version are READY, and no other is left.

        Raises:
            ServerError: a worker dies while it loads, or the time that the model is given is over.
        """
        loading: set[int] = set()
        described = self.describe(model, version)
        for _ in _polls(described["startupTimeout"] + 30):
            described = self.describe(model, version)
            states = [worker["status"] for worker in described["workers"]]
            if states == ["READY"] * workers:
                return
            # TorchServe starts a dead worker again and again, and calls it by the same status.
            if any(not psutil.pid_exists(pid) for pid in loading):
                break
            loading = {
                worker["pid"]
                for worker in described["workers"]
                if worker["status"] != "READY" and worker["pid"] > 0
            }
        # The last words of a dead worker are on their way into the log.
        time.sleep(1)
        log = TorchServeProcess(self.config).tail("model_log.log", about=f"-{model}_{version}-")
        raise ServerError(f"the workers of {model} {version} don't become READY:\n{log}")

    def unregister(self, model: str, version: str) -> None:
        """Remove one version of a model.

        Raises:
            ServerError: it is the default and others are there.
        """
        path = f"/models/{model}/{version}"
        leftovers = VersionLeftovers.of(self.config, self._processes(model, version))
        try:
            self._manage("DELETE", path)
        except ServerError:
            # TorchServe fails on a job that is in progress, before or after it has taken the
            # version off its list. A second call removes what is still on it.
            if self.find(model, version):
                self._manage("DELETE", path)
        leftovers.remove()

    def _processes(self, model: str, version: str) -> list[int]:
        """Return the processes of a version's workers; none if TorchServe does not list them."""
        with suppress(ServerError):
            if found := self.find(model, version):
                return [worker["pid"] for worker in found["workers"]]
        return []

    def scale(self, model: str, version: str, workers: int) -> None:
        """Set the number of workers of a version, and wait until they are READY.

        Raises:
            ServerError: they don't get READY.
        """
        self.set_workers(model, version, workers)
        self.wait_until_ready(model, version, workers)

    def set_workers(self, model: str, version: str, workers: int) -> None:
        """Set the number of workers of a version, and don't wait for them."""
        parameters = {"min_worker": workers, "max_worker": workers, "synchronous": "false"}
        try:
            self._manage("PUT", f"/models/{model}/{version}", parameters)
        except ServerError:
            # It fails here as it does when it removes a version, and may not have ended all.
            if len(self.describe(model, version)["workers"]) != workers:
                self._manage("PUT", f"/models/{model}/{version}", parameters)

    def set_default(self, model: str, version: str) -> None:
        """Let requests that name no version go to this one, from the next request on."""
        self._manage("PUT", f"/models/{model}/{version}/set-default")

    def describe(self, model: str, version: str | None = None) -> dict[str, Any]:
        """Describe a version, by default the default one.

        Raises:
            ServerError: it is not registered.
        """
        path = f"/models/{model}/{version}" if version else f"/models/{model}"
        (description,) = self._manage("GET", path)
        return dict(description)

    def customized(
        self, model: str, version: str, timeout_s: float = REQUEST_TIMEOUT_S
    ) -> dict[str, Any]:
        """Return the handler's own description of a version; a worker must be READY.

        Raises:
            ServerError: none is, or the requests before this one take longer than `timeout_s`.
        """
        path = f"/models/{model}/{version}"
        (description,) = self._manage("GET", path, {"customized": "true"}, timeout_s)
        return dict(description["customizedMetadata"])

    def find(self, model: str, version: str) -> dict[str, Any] | None:
        """Describe a version, or return None if it is not registered."""
        return next((v for v in self.versions(model) if v["modelVersion"] == version), None)

    def versions(self, model: str) -> list[dict[str, Any]]:
        """Describe every registered version of a model; none if there is none."""
        if not any(entry["modelName"] == model for entry in self.models()):
            return []
        return list(self._manage("GET", f"/models/{model}/all"))

    def all_versions(self) -> list[dict[str, Any]]:
        """Describe every registered version of every model, by the models' names."""
        models = sorted(entry["modelName"] for entry in self.models())
        return [version for model in models for version in self.versions(model)]

    def models(self) -> list[dict[str, str]]:
        """List the registered models, each with its default version's ``modelUrl``."""
        models: list[dict[str, str]] = []
        following: str | None = "0"
        while following is not None:
            page = {"limit": MODELS_PER_PAGE, "next_page_token": following}
            answer = self._manage("GET", "/models", page)
            models += answer["models"]
            following = answer.get("nextPageToken")
        return models

    def _manage(
        self,
        method: str,
        path: str,
        parameters: dict[str, Any] | None = None,
        timeout_s: float = REQUEST_TIMEOUT_S,
    ) -> Any:
        token = partial(self.token, "management")
        try:
            response = call(self.config, method, path, token(), parameters, timeout_s)
        except InvalidTokenError:  # another command has renewed it in between
            response = call(self.config, method, path, token(), parameters, timeout_s)
        return response.json()


def _polls(timeout_s: float) -> Iterator[None]:
    """Yield now and again until the time is over."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        yield
        time.sleep(POLL_PAUSE_S)
