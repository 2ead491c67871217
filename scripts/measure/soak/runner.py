"""One soak: clients, samples and rollouts at the same time."""

import asyncio
import dataclasses
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp

from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.our_server import Product
from scripts.measure.soak.client import Outcome, SoakClient
from scripts.measure.soak.record import WINDOW_S, Record
from scripts.measure.soak.request import Ask
from scripts.measure.soak.samples import Sampler
from scripts.torchserve.config import ServerError
from scripts.torchserve.management_api import ManagementApi

CLIENTS = 4
SAMPLE_PAUSE_S = 1.0
# Renewing a token ends the one before for everybody, so it is done between two decks, in good time.
TOKEN_MARGIN = timedelta(minutes=15)
# When versions are replaced, as shares of the soak: the workers in between live for most of it.
ROLLOUTS = (0.1, 0.85)
# Now and again, and at the end, nobody asks: what the JVM gives back in some seconds is no leak.
REST_DECKS = 4
REST_S = 20.0
SEED = 5


@dataclass
class Soak:
    """The load on one server, and what is seen of it."""

    product: Product
    api: ManagementApi
    asks: Sequence[Ask]
    seconds: float
    record: Record
    outcomes: list[Outcome] = field(default_factory=list)
    """Of the window that has not ended yet."""
    began: float = field(default_factory=time.monotonic)

    def now(self) -> float:
        """Return the seconds since it began."""
        return time.monotonic() - self.began

    async def run(self) -> None:
        """Ask until the time is over.

        Raises:
            ServerError: the server does not run any more.
        """
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
            client = SoakClient(self.api, self.product.model, session)
            background = [
                asyncio.create_task(self._sample()),
                asyncio.create_task(self._cut_windows()),
            ]
            rollouts = asyncio.create_task(self._roll_out())
            try:
                await self._play(client)
                self.record.seconds = self.now()
                await rollouts
                await self._rest()
            finally:
                rollouts.cancel()
                for task in background:
                    task.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.gather(*background)
                self._cut_window()

    async def _play(self, client: SoakClient) -> None:
        """Send deck after deck; a client takes the next request when its last one is answered."""
        shuffle = random.Random(SEED)
        while self.now() < self.seconds:
            client.token = self.api.token("inference", TOKEN_MARGIN)
            cards = iter(shuffle.sample(self.asks, len(self.asks)))
            await asyncio.gather(*(self._send_all(client, cards) for _ in range(CLIENTS)))
            if self.now() < self.seconds:
                self.record.decks.append(self.now())
                if len(self.record.decks) % REST_DECKS == 0:
                    await self._rest()

    async def _rest(self) -> None:
        start = self.now()
        await asyncio.sleep(REST_S)
        self.record.rests.append((start, self.now()))

    async def _send_all(self, client: SoakClient, cards: Iterator[Ask]) -> None:
        for ask in cards:
            outcome = await client.send(ask)
            self.outcomes.append(outcome)
            if self.now() > self.seconds:
                return

    async def _sample(self) -> None:
        sampler = Sampler(self.api, self.product.model)
        while True:
            try:
                sample = await asyncio.to_thread(sampler.sample)
            except ServerError as error:
                self.record.add_problem(f"{self.now():.0f} s: {error}")
            else:
                at = sample.at - self.began
                self.record.samples.append(dataclasses.replace(sample, at=at))
            await asyncio.sleep(SAMPLE_PAUSE_S)

    async def _cut_windows(self) -> None:
        while True:
            await asyncio.sleep(WINDOW_S)
            self._cut_window()
            self._tell()

    def _cut_window(self) -> None:
        outcomes, self.outcomes = self.outcomes, []
        for outcome in outcomes:
            if outcome.problem:
                print(f"{outcome.name}: {outcome.problem}", flush=True)
        self.record.add_outcomes(max(0.0, self.now() - WINDOW_S), outcomes)

    def _tell(self) -> None:
        """Say on one line how far it is."""
        record = self.record
        memory = ""
        if record.samples:
            each = [f"{p.rss / 2**20:.0f}" for p in record.samples[-1].processes.values()]
            memory = f", MiB {' + '.join(each)}"
        answered = record.windows[-1].milliseconds
        median = f", p50 {answered['p50']:.0f} ms" if answered else ""
        print(
            f"{self.now() / 60:5.1f} of {self.seconds / 60:.0f} min: {record.requests} requests, "
            f"{record.problem_count} unexpected{median}{memory}",
            flush=True,
        )

    async def _roll_out(self) -> None:
        for number, share in enumerate(ROLLOUTS, 1):
            await asyncio.sleep(max(0.0, share * self.seconds - self.now()))
            start = self.now()
            try:
                await asyncio.to_thread(self.product.make, "rollout", f"VERSION=1.{number}")
            except BenchError as error:
                self.record.add_problem(f"{start:.0f} s: {error}")
            self.record.rollouts.append((start, self.now()))
