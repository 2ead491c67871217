"""Clients that ask a server again and again, and keep every outcome."""

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
    """What came of one request, all its tries included."""

    asked: float
    """When it was sent first, by ``time.monotonic()``."""
    seconds: float
    """Until it was answered for good."""
    tries: tuple[str, ...]
    """What came of each: a status, or the name of the error instead of an answer."""

    @property
    def served(self) -> bool:
        """Whether there was a cutout in the end."""
        return self.tries[-1] == str(HTTPStatus.OK.value)


@dataclass
class SteadyClients:
    """`concurrency` clients of one model, each with one request at a time.

    A request that is not served is tried `retries` times more. A client that was not served pauses
    for `pause_s`.
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
    def asking(self) -> Iterator["SteadyClients"]:
        """Ask while inside; at the end wait for what is on its way."""
        threads = [threading.Thread(target=self._keep_asking) for _ in range(self.concurrency)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _keep_asking(self) -> None:
        with local_session() as session:
            while not self._over.is_set():
                self.outcomes.append(self._ask(session))

    def _ask(self, session: requests.Session) -> Outcome:
        asked, tries = time.monotonic(), []
        for _ in range(1 + self.retries):
            tries.append(self._try(session))
            if tries[-1] == str(HTTPStatus.OK.value):
                break
            time.sleep(self.pause_s)
        return Outcome(asked, time.monotonic() - asked, tuple(tries))

    def _try(self, session: requests.Session) -> str:
        try:
            response = session.put(
                self._url, data=self.picture, headers=self._headers, timeout=self.timeout_s
            )
        except requests.RequestException as error:
            return type(error).__name__
        return str(response.status_code)
