"""Load on a server that does not depend on how fast it answers, and load that does."""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

# Until the queue is as full as it gets; what is answered before does not count.
SETTLE_S = 2.0
SEED = 7

Send = Callable[[], Awaitable[int]]
"""Sends one request and returns the status of its answer, 0 where there was none."""


@dataclass(frozen=True)
class Answer:
    """One answered request."""

    ended: float
    """Seconds since the load began."""
    seconds: float
    status: int


@dataclass(frozen=True)
class Phase:
    """A stretch of one kind of load. Times are of answers that came after ``SETTLE_S``."""

    name: str
    seconds: float
    """How long requests were sent."""
    offered: int
    """How many were sent."""
    answers: list[Answer]

    @property
    def goodput(self) -> float:
        """Good answers a second, after ``SETTLE_S`` and while requests were sent."""
        good = [answer for answer in self._counted if answer.status == 200]
        return len(good) / (self.seconds - SETTLE_S)

    def percentile(self, status: int, share: float) -> float:
        """Return the seconds within which this share of the answers of a status came."""
        took = sorted(answer.seconds for answer in self.answers if answer.status == status)
        return took[math.ceil(share * len(took)) - 1] if took else math.nan

    def statuses(self) -> Counter[int]:
        """Count the answers by status."""
        return Counter(answer.status for answer in self.answers)

    @property
    def _counted(self) -> list[Answer]:
        return [each for each in self.answers if SETTLE_S <= each.ended <= self.seconds]


async def offer(name: str, send: Send, rate: float, seconds: float) -> Phase:
    """Send `rate` requests a second at random moments (Poisson), answered or not."""
    gaps = random.Random(SEED)
    start = time.monotonic()
    due = 0.0
    tasks: list[asyncio.Task[Answer]] = []
    while (due := due + gaps.expovariate(rate)) < seconds:
        await asyncio.sleep(max(0.0, start + due - time.monotonic()))
        tasks.append(asyncio.create_task(_timed(send, start)))
    return Phase(name, seconds, len(tasks), list(await asyncio.gather(*tasks)))


async def circle(name: str, send: Send, clients: int, seconds: float) -> Phase:
    """Let `clients` ask again as soon as they are answered, also where they were refused."""
    start = time.monotonic()

    async def ask() -> list[Answer]:
        answers = []
        while time.monotonic() - start < seconds:
            answers.append(await _timed(send, start))
        return answers

    each = await asyncio.gather(*(ask() for _ in range(clients)))
    answers = [answer for some in each for answer in some]
    return Phase(name, seconds, len(answers), answers)


async def _timed(send: Send, start: float) -> Answer:
    began = time.monotonic()
    status = await send()
    ended = time.monotonic()
    return Answer(ended - start, ended - began, status)
