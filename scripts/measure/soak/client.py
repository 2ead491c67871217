"""Sends the soak's requests and compares each response with the expected one."""

import hashlib
import json
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field

import requests
from requests.adapters import HTTPAdapter

from scripts.common.http import local_session
from scripts.measure.soak.request import HangUp, SoakRequest
from scripts.torchserve.binding import HOST
from scripts.torchserve.management_api import ManagementApi

TIMEOUT_S = 120
# A request has arrived by then: it is in the queue or with a worker.
ARRIVED_S = 0.05
# SO_LINGER, on, 0 seconds: the connection is reset, not closed in order.
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Outcome:
    """The result of one request."""

    name: str
    ended: float
    """Seconds of ``time.monotonic``."""
    seconds: float
    status: int
    """0: no response, which is right where the client hung up."""
    problem: str | None = None


@dataclass
class SoakClient:
    """A client of one model; it remembers the first response to each request.

    Several threads may use it, as many as there are `connections`.
    """

    api: ManagementApi
    model: str
    token: str = ""
    connections: int = 10
    digests: dict[str, str] = field(default_factory=dict)
    """SHA-256, media type and size of the first good response to each request."""

    def __post_init__(self) -> None:
        self._session = local_session()
        self._session.mount("http://", HTTPAdapter(pool_maxsize=self.connections))

    def send(self, request: SoakRequest) -> Outcome:
        """Send a request; compare its response with what is expected, and with the first one."""
        start = time.monotonic()
        status, problem = 0, None
        try:
            if request.hang_up:
                self._hang_up(request, request.hang_up)
            else:
                status, problem = self._send(request)
        except (requests.RequestException, OSError) as error:
            problem = f"no response: {error!r}"
        ended = time.monotonic()
        return Outcome(request.name, ended, ended - start, status, problem)

    def _path(self, request: SoakRequest) -> str:
        return request.path if "/" in request.path else f"{request.path}/{self.model}"

    def _headers(self, request: SoakRequest) -> dict[str, str]:
        token = self.token if request.authorized else "wrong"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": request.content_type}
        return {**headers, **({"Accept": request.accept} if request.accept else {})}

    def _send(self, request: SoakRequest) -> tuple[int, str | None]:
        response = self._session.request(
            request.method,
            f"{self.api.config.inference_address}/{self._path(request)}",
            data=request.body,
            headers=self._headers(request),
            timeout=TIMEOUT_S,
        )
        status, content = response.status_code, response.content
        if status != request.status:
            return status, f"{status} {content[:200]!r} instead of {request.status}"
        if status != 200:
            return status, _wrong_code(request, content)
        digest = hashlib.sha256(content).hexdigest()
        size = (response.headers.get(name, "") for name in ("X-Width", "X-Height"))
        found = f"{digest} {response.headers.get('Content-Type', '')} {'x'.join(size)}"
        first = self.digests.setdefault(request.name, found)
        return status, None if found == first else f"{found} instead of {first}"

    def _hang_up(self, request: SoakRequest, when: HangUp) -> None:
        """Send a request, and reset the connection before the response is complete."""
        lines = [
            f"{request.method} /{self._path(request)} HTTP/1.1",
            f"Host: {HOST}",
            f"Content-Length: {len(request.body)}",
            *(f"{name}: {value}" for name, value in self._headers(request).items()),
        ]
        sent = len(request.body) // 2 if when is HangUp.SENDING else len(request.body)
        address = HOST, self.api.config.port
        with socket.create_connection(address, timeout=TIMEOUT_S) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + request.body[:sent])
            if when is HangUp.WAITING:
                time.sleep(ARRIVED_S)
            elif when is HangUp.RECEIVING and not connection.recv(1):
                raise ConnectionError("the server closed the connection without a response")


def _wrong_code(request: SoakRequest, content: bytes) -> str | None:
    if request.code is None:
        return None
    with suppress(ValueError, LookupError, TypeError):
        code = json.loads(content)["errors"][0]["code"]
        return None if code == request.code else f"{code} instead of {request.code}"
    return f"{content[:200]!r} instead of {request.code}"
