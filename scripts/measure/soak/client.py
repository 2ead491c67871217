"""Sends the soak's requests and says what was wrong with each answer."""

import asyncio
import hashlib
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from scripts.measure.soak.request import Ask, HangUp
from scripts.torchserve.binding import HOST
from scripts.torchserve.management_api import ManagementApi

TIMEOUT_S = 120
# A client that leaves while it waits is in the queue or at work by then.
PATIENCE_S = 0.05


@dataclass(frozen=True)
class Outcome:
    """What came of one request."""

    name: str
    ended: float
    """Seconds of ``time.monotonic``."""
    seconds: float
    status: int
    """0: no answer, which is right where the client left."""
    problem: str | None = None


@dataclass
class SoakClient:
    """One server, asked for one model; remembers the first answer to each request."""

    api: ManagementApi
    model: str
    session: aiohttp.ClientSession
    token: str = ""
    digests: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the first good answer to each request, its type and its size."""

    def url(self, ask: Ask) -> str:
        """Return the address that a request is sent to."""
        path = ask.path if ask.path.count("/") else f"{ask.path}/{self.model}"
        return f"{self.api.config.inference_address}/{path}"

    def headers(self, ask: Ask) -> dict[str, str]:
        """Return the headers of a request."""
        token = self.token if ask.authorized else "wrong"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": ask.content_type}
        return {**headers, **({"Accept": ask.accept} if ask.accept else {})}

    async def send(self, ask: Ask) -> Outcome:
        """Send a request and hold its answer against what is due, and against the first one."""
        start = time.monotonic()
        status, problem = 0, None
        try:
            if ask.hang_up:
                await self._leave(ask, ask.hang_up)
            else:
                status, problem = await self._ask(ask)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            problem = f"no answer: {error!r}"
        ended = time.monotonic()
        return Outcome(ask.name, ended, ended - start, status, problem)

    async def _ask(self, ask: Ask) -> tuple[int, str | None]:
        timeout = aiohttp.ClientTimeout(TIMEOUT_S)
        async with self.session.request(
            ask.method, self.url(ask), data=ask.body, headers=self.headers(ask), timeout=timeout
        ) as answer:
            content = await answer.read()
            kind = answer.headers.get("Content-Type", "")
            size = answer.headers.get("X-Width", ""), answer.headers.get("X-Height", "")
        if answer.status != ask.status:
            return answer.status, f"{answer.status} {content[:200]!r} instead of {ask.status}"
        if ask.status != 200:
            return answer.status, self._wrong_code(ask, content)
        digest = hashlib.sha256(content).hexdigest()
        found = f"{digest} {kind} {'x'.join(size)}"
        if self.digests.setdefault(ask.name, found) != found:
            return answer.status, f"{found} instead of {self.digests[ask.name]}"
        return answer.status, None

    @staticmethod
    def _wrong_code(ask: Ask, content: bytes) -> str | None:
        if ask.code is None:
            return None
        with suppress(ValueError, LookupError, TypeError):
            code = json.loads(content)["errors"][0]["code"]
            return None if code == ask.code else f"{code} instead of {ask.code}"
        return f"{content[:200]!r} instead of {ask.code}"

    async def _leave(self, ask: Ask, when: HangUp) -> None:
        """Send a request, and close the connection at the worst moment."""
        reader, writer = await asyncio.open_connection(HOST, self.api.config.port)
        try:
            lines = [
                f"{ask.method} /{ask.path}/{self.model} HTTP/1.1",
                f"Host: {HOST}",
                f"Content-Length: {len(ask.body)}",
                *(f"{name}: {value}" for name, value in self.headers(ask).items()),
            ]
            sent = len(ask.body) // 2 if when is HangUp.SENDING else len(ask.body)
            writer.write("\r\n".join([*lines, "", ""]).encode() + ask.body[:sent])
            await writer.drain()
            if when is HangUp.WAITING:
                await asyncio.sleep(PATIENCE_S)
            elif when is HangUp.RECEIVING:
                async with asyncio.timeout(TIMEOUT_S):
                    await reader.readexactly(1)
        finally:
            # Without a farewell: the server meets a connection that is reset.
            writer.transport.abort()
