"""Clients of a gateway that send requests while its server is stopped."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import requests

from scripts.common.http import local_session

PNG = b"\x89PNG"
SERVED = str(HTTPStatus.OK.value)
TIMEOUT_S = 120


@dataclass(frozen=True)
class Exchange:
    """A request, and its response."""

    begin: float
    """Seconds, as ``time.monotonic`` counts them."""
    end: float
    outcome: str
    """The status, or the name of the error that came instead of a response."""


@dataclass
class GatewayClients:
    """`concurrency` clients, each with one request at a time."""

    url: str
    key: str
    photo: bytes
    concurrency: int
    exchanges: list[Exchange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send while inside; at the end wait for the responses."""
        threads = [threading.Thread(target=self._send_all) for _ in range(self.concurrency)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def send_no_more(self) -> None:
        """Let each client end with the request that it has in flight."""
        self._over.set()

    def in_flight(self, moment: float) -> Counter[str]:
        """Return what came of the requests that were in flight at a moment."""
        return Counter(each.outcome for each in self.exchanges if each.begin < moment < each.end)

    def send(self, session: requests.Session) -> str:
        """Send one request; return its status, or the name of the error."""
        try:
            response = session.post(
                f"{self.url}/v1.0/removebg",
                headers={"X-Api-Key": self.key},
                files={"image_file": self.photo},
                timeout=TIMEOUT_S,
            )
        except requests.RequestException as error:
            return type(error).__name__
        if response.ok and not response.content.startswith(PNG):
            return "no PNG"
        return str(response.status_code)

    def _send_all(self) -> None:
        with local_session() as session:
            while not self._over.is_set():
                begin = time.monotonic()
                outcome = self.send(session)
                self.exchanges.append(Exchange(begin, time.monotonic(), outcome))
