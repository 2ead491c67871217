"""Load in an open loop, at a given rate, and in a closed loop, by a given number of clients."""

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from scripts.measure.kit.percentiles import percentile

# Until the queue is full; responses before that do not count.
SETTLE_S = 2.0
SEED = 7
# In an open loop. More than a server's queue holds, so that requests don't wait here.
MOST_IN_FLIGHT = 512

Send = Callable[[], int]
"""Sends one request and returns the status of its response, 0 where there was none."""


@dataclass(frozen=True)
class Response:
    """One response."""

    ended: float
    """Seconds since the load began."""
    seconds: float
    status: int


@dataclass(frozen=True)
class Phase:
    """One kind of load for a time."""

    name: str
    seconds: float
    """How long requests were sent."""
    responses: list[Response]
    """One for each request."""

    @property
    def goodput(self) -> float:
        """Responses with status 200 a second, after ``SETTLE_S`` and while requests were sent."""
        good = [
            each
            for each in self.responses
            if each.status == 200 and SETTLE_S <= each.ended <= self.seconds
        ]
        return len(good) / (self.seconds - SETTLE_S)

    def percentile(self, status: int, share: float) -> float:
        """Return the seconds within which this share of the responses of a status came."""
        return percentile(
            sorted(each.seconds for each in self.responses if each.status == status), share
        )

    def statuses(self) -> Counter[int]:
        """Count the responses by status."""
        return Counter(each.status for each in self.responses)


def open_loop(name: str, send: Send, rate: float, seconds: float) -> Phase:
    """Send `rate` requests a second at random moments (Poisson), whether or not others respond."""
    gaps = random.Random(SEED)
    start = time.monotonic()
    due = 0.0
    with ThreadPoolExecutor(MOST_IN_FLIGHT) as pool:
        futures = []
        while (due := due + gaps.expovariate(rate)) < seconds:
            time.sleep(max(0.0, start + due - time.monotonic()))
            futures.append(pool.submit(_timed, send, start))
        return Phase(name, seconds, [future.result() for future in futures])


def closed_loop(name: str, send: Send, clients: int, seconds: float) -> Phase:
    """Let each of `clients` send its next request when it has a response, a refusal too."""
    start = time.monotonic()

    def send_on(_: int) -> list[Response]:
        responses = []
        while time.monotonic() - start < seconds:
            responses.append(_timed(send, start))
        return responses

    with ThreadPoolExecutor(clients) as pool:
        responses = [each for some in pool.map(send_on, range(clients)) for each in some]
    return Phase(name, seconds, responses)


def _timed(send: Send, start: float) -> Response:
    began = time.monotonic()
    status = send()
    ended = time.monotonic()
    return Response(ended - start, ended - began, status)
