"""One run of the bench: every case, and what is measured between them."""

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.measure.bench.cases import (
    ISNET,
    ISNET_CASE,
    PRECISIONS,
    SMALL,
    SMALL_CASE,
    SMALL_EXACT,
    THROUGHPUT,
    Case,
    Turn,
)
from scripts.measure.bench.contenders import Contenders
from scripts.measure.bench.mask_error import compare_masks, served_alphas
from scripts.measure.bench.measurement import measure_case
from scripts.measure.bench.results import Results
from scripts.measure.bench.stage_costs import measure_stages
from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.host import served_facts
from scripts.measure.kit.lock import alone
from scripts.measure.kit.machine_peak import measure_peaks
from scripts.measure.kit.our_server import Product
from scripts.measure.kit.photos import Pictures
from scripts.measure.kit.servers import Fleet
from scripts.torchserve.config import ServerError

STARTS = 2
# The other masks are compared with its masks.
EXACT = "fp32"


@dataclass
class Run:
    """One run."""

    contenders: Contenders
    pictures: Pictures
    hey: Path
    lock: Path | None
    results: Results
    raw: Path
    started: float = field(default_factory=time.monotonic)

    @property
    def _products(self) -> dict[str, Product]:
        return self.contenders.products

    @property
    def _fleet(self) -> Fleet:
        return self.contenders.fleet

    def measure(self, cases: tuple[Case, ...]) -> None:
        """Measure all cases; a failure is recorded, and the other cases go on."""
        try:
            self._peaks()
            for case in cases:
                self._fleet.keep([turn.server for turn in case.turns])
                self.results.failures.update(self._fleet.broken)
                with self._recorded(case.name):
                    self._case(case)
                self.results.write(self.raw)
            self._fleet.keep([])
            with self._recorded("READY"):
                self._time_to_ready()
            self._peaks()
        finally:
            self._fleet.keep([])

    @contextmanager
    def _recorded(self, what: str) -> Iterator[None]:
        """Record a failure of the block, and go on."""
        try:
            yield
        except (BenchError, ServerError) as error:
            self.results.failures[what] = str(error)
            self._print(f"{what}: {error}")

    def _case(self, case: Case) -> None:
        picture = self.pictures.timed[case.picture]
        able = tuple(turn for turn in case.turns if turn.server in self._fleet.running)
        startable = dataclasses.replace(case, turns=able)
        for m in measure_case(startable, self._fleet.servers, picture, self.hey, self.lock):
            self.results.measurements.append(m)
            self._print(
                f"{case.name}, round {m.round}/{case.rounds}: {m.label}: "
                f"{m.rate:.2f}/s, p50 {m.p50:.0f} ms, {m.errors} errors"
            )
        if case.name == THROUGHPUT.name:
            self._stages()
            self._masks("u2net", {name: self._products[name] for name in PRECISIONS})
            for name in self._fleet.running & set(PRECISIONS):
                self.results.served[name] = served_facts(self._products[name].status())
        if case.name == SMALL_CASE.name:
            small = {name.split()[1]: self._products[name] for name in (SMALL, SMALL_EXACT)}
            self._masks("u2netp", small)
        if case.name == ISNET_CASE.name:
            self._masks("isnet", {name: self._products[ISNET[name]] for name in ISNET})

    def _peaks(self) -> None:
        with alone(self.lock):
            found = measure_peaks()
        before = self.results.peaks
        self.results.peaks = {name: max(found[name], before.get(name, 0)) for name in found}
        self._print(", ".join(f"{name} {peak / 1e9:.0f} GOP/s" for name, peak in found.items()))

    def _stages(self) -> None:
        picture = self.pictures.timed["1.5"]
        turns = [Turn("int8"), Turn("int8", edges="matte"), Turn("bf16"), Turn("fp32")]
        with alone(self.lock):
            for turn in turns:
                if turn.server not in self._fleet.running:
                    continue
                costs = measure_stages(self._products[turn.server], picture, turn)
                self.results.stages.append(costs)
                self._print(
                    f"stages of {turn.label}: {costs.outside_share:.2f} outside the network"
                )

    def _masks(self, model: str, servers: dict[str, Product]) -> None:
        servers = {
            name: server for name, server in servers.items() if server.name in self._fleet.running
        }
        if EXACT not in servers:
            return
        with alone(self.lock):
            alphas = {
                name: served_alphas(server, self.pictures.masks) for name, server in servers.items()
            }
        for name in servers:
            if name != EXACT:
                error = compare_masks(alphas[EXACT], alphas[name])
                self.results.masks[f"{model} {name}"] = error
                self._print(f"masks of {model} {name}: {error.mean:.5f} off on average")

    def _time_to_ready(self) -> None:
        server = self.contenders.default
        # Builds what is not built yet.
        server.start()
        server.stop()
        server.seconds_to_ready.clear()
        with alone(self.lock):
            for _ in range(STARTS):
                server.start()
                server.stop()
        self.results.seconds_to_ready = server.seconds_to_ready
        self._print(f"READY after {min(server.seconds_to_ready):.1f} s")

    def _print(self, words: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"[{minutes:3d}:{seconds:02d}] {words}", flush=True)
