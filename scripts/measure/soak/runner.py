"""One soak: requests, samples and rollouts at the same time."""

import dataclasses
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from queue import SimpleQueue
from typing import TypeVar

from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.our_server import Product
from scripts.measure.soak.client import Outcome, SoakClient
from scripts.measure.soak.record import WINDOW_S, Record
from scripts.measure.soak.request import SoakRequest
from scripts.measure.soak.samples import Sampler
from scripts.torchserve.config import ServerError
from scripts.torchserve.management_api import ManagementApi

CLIENTS = 4
SAMPLE_PAUSE_S = 1.0
# Renewing a token invalidates the one before, so it is done between two mixes, in good time.
TOKEN_MARGIN = timedelta(minutes=15)
# When versions are replaced, as shares of the soak: the workers in between live for most of it.
ROLLOUTS = (0.1, 0.85)
# After so many mixes, and at the end, the server idles: memory that the JVM gives back in some
# seconds is no leak.
IDLE_AFTER_MIXES = 4
IDLE_S = 20.0
SEED = 5

T = TypeVar("T")


@dataclass
class Soak:
    """The load on one server, and its record."""

    product: Product
    api: ManagementApi
    mix: Sequence[SoakRequest]
    seconds: float
    record: Record
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        # Written by several threads, and read by the one that cuts windows.
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._problems: SimpleQueue[str] = SimpleQueue()

    def now(self) -> float:
        """Return the seconds since it began."""
        return time.monotonic() - self.began

    def run(self) -> None:
        """Send requests until the time is over.

        Raises:
            ServerError: the server does not run any more.
        """
        client = SoakClient(self.api, self.product.model)
        with ThreadPoolExecutor(3) as background:
            others = [background.submit(each) for each in (self._sample, self._cut_windows)]
            rollouts = background.submit(self._roll_out)
            try:
                self._send_mixes(client)
                self.record.seconds = self.now()
                rollouts.result()
                self._idle()
            finally:
                self._over.set()
            for each in others:
                each.result()
        self._cut_window()

    def _send_mixes(self, client: SoakClient) -> None:
        """Send mix after mix in a closed loop: a client takes the next request when it is free."""
        shuffle = random.Random(SEED)

        def send(request: SoakRequest) -> None:
            if self.now() < self.seconds:
                self._outcomes.put(client.send(request))

        with ThreadPoolExecutor(CLIENTS) as clients:
            while self.now() < self.seconds:
                client.token = self.api.token("inference", TOKEN_MARGIN)
                list(clients.map(send, shuffle.sample(self.mix, len(self.mix))))
                if self.now() < self.seconds:
                    self.record.mixes.append(self.now())
                    if len(self.record.mixes) % IDLE_AFTER_MIXES == 0:
                        self._idle()

    def _idle(self) -> None:
        start = self.now()
        time.sleep(IDLE_S)
        self.record.idle.append((start, self.now()))

    def _sample(self) -> None:
        sampler = Sampler(self.api, self.product.model)
        while not self._over.is_set():
            try:
                sample = sampler.sample()
            except ServerError as error:
                self._problems.put(f"{self.now():.0f} s: {error}")
            else:
                at = sample.at - self.began
                self.record.samples.append(dataclasses.replace(sample, at=at))
            self._over.wait(SAMPLE_PAUSE_S)

    def _cut_windows(self) -> None:
        while not self._over.wait(WINDOW_S):
            self._cut_window()
            self._print_progress()

    def _cut_window(self) -> None:
        outcomes = _drain(self._outcomes)
        for outcome in outcomes:
            if outcome.problem:
                print(f"{outcome.name}: {outcome.problem}", flush=True)
        self.record.add_outcomes(max(0.0, self.now() - WINDOW_S), outcomes)
        for problem in _drain(self._problems):
            self.record.add_problem(problem)

    def _print_progress(self) -> None:
        record = self.record
        memory = ""
        if record.samples:
            each = [f"{p.rss / 2**20:.0f}" for p in record.samples[-1].processes.values()]
            memory = f", MiB {' + '.join(each)}"
        percentiles = record.windows[-1].milliseconds
        median = f", p50 {percentiles['p50']:.0f} ms" if percentiles else ""
        print(
            f"{self.now() / 60:5.1f} of {self.seconds / 60:.0f} min: {record.requests} requests, "
            f"{record.problem_count} unexpected{median}{memory}",
            flush=True,
        )

    def _roll_out(self) -> None:
        for number, share in enumerate(ROLLOUTS, 1):
            if self._over.wait(max(0.0, share * self.seconds - self.now())):
                return
            start = self.now()
            try:
                self.product.make("rollout", f"VERSION=1.{number}")
            except BenchError as error:
                self._problems.put(f"{start:.0f} s: {error}")
            self.record.rollouts.append((start, self.now()))


def _drain(queue: SimpleQueue[T]) -> list[T]:
    return [queue.get() for _ in range(queue.qsize())]
