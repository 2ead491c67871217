"""Clients that send requests in a closed loop, and keep every outcome."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import requests

from scripts.common.http import local_session
from scripts.torchserve.config import ServerConfig
from scripts.torchserve.management_api import ManagementApi


@dataclass(frozen=True)
class Outcome:
    """The result of one request, with all its tries."""

    sent: float
    """When it was sent first, by ``time.monotonic()``."""
    seconds: float
    """Until the result of the last try."""
    tries: tuple[str, ...]
    """The result of each: a status, or the name of the error where there was no response."""

    @property
    def served(self) -> bool:
        """Whether the last try got a cutout."""
        return self.tries[-1] == str(HTTPStatus.OK.value)


@dataclass
class SteadyClients:
    """`concurrency` clients of one model, each with one request at a time.

    A request that is not served is sent up to `retries` times more, after `pause_s`.
    """

    config: ServerConfig
    model: str
    picture: bytes
    concurrency: int
    version: str | None = None
    retries: int = 0
    pause_s: float = 0.2
    timeout_s: float = 60.0
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        path = f"{self.model}/{self.version}" if self.version else self.model
        self._url = f"{self.config.inference_address}/predictions/{path}"
        token = ManagementApi(self.config).token("inference")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "image/png"}
        self._over = threading.Event()

    @contextmanager
    def sending(self) -> Iterator["SteadyClients"]:
        """Send requests while the block runs; then wait for those in flight."""
        threads = [threading.Thread(target=self._keep_sending) for _ in range(self.concurrency)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _keep_sending(self) -> None:
        with local_session() as session:
            while not self._over.is_set():
                self.outcomes.append(self._send(session))

    def _send(self, session: requests.Session) -> Outcome:
        sent, tries = time.monotonic(), []
        for _ in range(1 + self.retries):
            tries.append(self._try(session))
            if tries[-1] == str(HTTPStatus.OK.value):
                break
            time.sleep(self.pause_s)
        return Outcome(sent, time.monotonic() - sent, tuple(tries))

    def _try(self, session: requests.Session) -> str:
        try:
            response = session.put(
                self._url, data=self.picture, headers=self._headers, timeout=self.timeout_s
            )
        except requests.RequestException as error:
            return type(error).__name__
        return str(response.status_code)
