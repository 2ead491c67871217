"""Measure our server beside its peers, on this machine, in one run; write BENCHMARKS.md."""

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from article_server import ArticleServer
from bench_cases import (
    FULL,
    LATENCY,
    PRECISIONS,
    QUICK,
    SMALL,
    SMALL_CASE,
    SMALL_EXACT,
    THROUGHPUT,
    Case,
    Turn,
)
from bench_errors import BenchError
from bench_pictures import Pictures, fetch_pictures, pictures_in
from bench_plots import write_plots
from bench_report import target_table, write_report
from bench_results import Results
from bench_servers import Fleet, Server
from load_generator import find_hey
from machine import describe_machine, peer_versions
from machine_peak import measure_peaks, network_operations
from mask_error import compare_masks, served_alphas
from measuring import alone, measure_case
from peer_servers import peer_servers
from product_server import Product, product
from server_config import ServerError
from stage_costs import measure_stages

ROOT = Path(__file__).resolve().parents[2]
PEER_PINS = Path(__file__).with_name("peers.txt")
REPORT = ROOT / "BENCHMARKS.md"
DOCS = ROOT / "docs" / "benchmarks"

# A server of ours has a port of its own, and the two after it.
PORT_STEP = 4
STARTS = 2


@dataclass
class Bench:
    """One run."""

    build: Path
    port: int
    peer_port: int
    pictures: Pictures
    hey: Path
    lock: Path | None
    results: Results
    raw: Path
    products: dict[str, Product] = field(init=False)
    fleet: Fleet = field(init=False)
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        # Those that share a port never run together.
        ports = {name: self.port + PORT_STEP * each for each, name in enumerate(PRECISIONS)}
        self.products = {
            name + profile: product(name + profile, ports[name], self.build)
            for profile in ("", LATENCY)
            for name in PRECISIONS
        }
        for name, port in zip((SMALL_EXACT, SMALL), ports.values(), strict=False):
            precision = name.split()[1]
            self.products[name] = Product(name, port, self.build, precision, model="u2netp")
        peers = peer_servers(
            self.build / "bench" / "venv",
            self.build / "weights" / "u2net.onnx",
            self.build / "bench" / "peers",
            self.peer_port,
            len(os.sched_getaffinity(0)),
        )
        article = ArticleServer(self.port, self.build)
        servers: list[Server] = [*self.products.values(), *peers, article]
        self.fleet = Fleet({server.name: server for server in servers})

    def run(self, cases: tuple[Case, ...]) -> None:
        """Measure everything; what fails is noted, and the rest goes on."""
        try:
            self._peaks()
            for case in cases:
                self.fleet.keep([turn.server for turn in case.turns])
                self.results.failures.update(self.fleet.broken)
                with self._noted(case.name):
                    self._case(case)
                self.results.write(self.raw)
            self.fleet.keep([])
            with self._noted("READY"):
                self._time_to_ready()
            self._peaks()
        finally:
            self.fleet.keep([])

    @contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        """Note what fails inside, and go on with the rest."""
        try:
            yield
        except (BenchError, ServerError) as error:
            self.results.failures[what] = str(error)
            self._tell(f"{what}: {error}")

    def _case(self, case: Case) -> None:
        picture = self.pictures.timed[case.picture]
        able = tuple(turn for turn in case.turns if turn.server in self.fleet.running)
        startable = dataclasses.replace(case, turns=able)
        for m in measure_case(startable, self.fleet.servers, picture, self.hey, self.lock):
            self.results.measurements.append(m)
            self._tell(
                f"{case.name}, round {m.round}/{case.rounds}: {m.label}: "
                f"{m.rate:.2f}/s, p50 {m.p50:.0f} ms, {m.errors} errors"
            )
        if case.name == THROUGHPUT.name:
            self._stages()
            self._masks("u2net", {name: self.products[name] for name in PRECISIONS}, "fp32")
            for name in self.fleet.running & set(PRECISIONS):
                self.results.served[name] = self.products[name].make("status")
        if case.name == SMALL_CASE.name:
            small = {name.split()[1]: self.products[name] for name in (SMALL, SMALL_EXACT)}
            self._masks("u2netp", small, "fp32")

    def _peaks(self) -> None:
        with alone(self.lock):
            found = measure_peaks()
        before = self.results.peaks
        self.results.peaks = {name: max(found[name], before.get(name, 0)) for name in found}
        self._tell(", ".join(f"{name} {peak / 1e9:.0f} GOP/s" for name, peak in found.items()))

    def _stages(self) -> None:
        picture = self.pictures.timed["1.5"]
        turns = [Turn("int8"), Turn("int8", edges="matte"), Turn("bf16"), Turn("fp32")]
        for turn in turns:
            if turn.server not in self.fleet.running:
                continue
            with alone(self.lock):
                costs = measure_stages(self.products[turn.server], picture, turn)
            self.results.stages.append(costs)
            self._tell(f"stages of {turn.label}: {costs.outside_share:.2f} outside the network")

    def _masks(self, model: str, servers: dict[str, Product], exact: str) -> None:
        servers = {
            name: server for name, server in servers.items() if server.name in self.fleet.running
        }
        if exact not in servers:
            return
        with alone(self.lock):
            alphas = {
                name: served_alphas(server, self.pictures.masks) for name, server in servers.items()
            }
        for name in servers:
            if name != exact:
                error = compare_masks(alphas[exact], alphas[name])
                self.results.masks[f"{model} {name}"] = error
                self._tell(f"masks of {model} {name}: {error.mean:.5f} off on average")

    def _time_to_ready(self) -> None:
        server = Product("auto", self.port, self.build, "auto")
        # Builds what is not built yet.
        server.start()
        server.stop()
        server.seconds_to_ready.clear()
        for _ in range(STARTS):
            with alone(self.lock):
                server.start()
            server.stop()
        self.results.seconds_to_ready = server.seconds_to_ready
        self._tell(f"READY after {min(server.seconds_to_ready):.1f} s")

    def _tell(self, words: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"[{minutes:3d}:{seconds:02d}] {words}", flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="folder of all that is generated")
    parser.add_argument("--port", type=int, default=9080, help="the first of our servers' ports")
    parser.add_argument("--peer-port", type=int, default=9300, help="the first of the peers'")
    parser.add_argument("--pictures", type=Path, help="folder of photos to take instead")
    parser.add_argument("--quick", action="store_true", help="only what the targets need")
    parser.add_argument("--lock", type=Path, help="file that is locked while a server is measured")
    parser.add_argument("--report", type=Path, help="write the report from these raw results only")
    return parser.parse_args()


def _measure(arguments: argparse.Namespace) -> Results:
    folder = arguments.build / "bench"
    hey = find_hey(folder / "packages")
    if arguments.pictures:
        pictures = pictures_in(arguments.pictures)
    else:
        pictures = fetch_pictures(folder / "pictures")
    results = Results(
        mode="quick" if arguments.quick else "full",
        date=datetime.now(UTC).date().isoformat(),
        machine=describe_machine(),
        peers=peer_versions(PEER_PINS),
        network_operations={name: network_operations(name) for name in ("u2net", "u2netp")},
        pictures=list(pictures.timed.values()),
        mask_pictures=pictures.masks,
    )
    raw = folder / "results" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    bench = Bench(
        arguments.build,
        arguments.port,
        arguments.peer_port,
        pictures,
        hey,
        arguments.lock,
        results,
        raw,
    )
    bench.run(QUICK if arguments.quick else FULL)
    results.write(raw)
    print(f"raw results: {raw}")
    return results


def main() -> None:
    """Run the command line."""
    arguments = _parse()
    try:
        results = Results.read(arguments.report) if arguments.report else _measure(arguments)
    except (BenchError, ServerError) as error:
        sys.exit(f"make bench: {error}")
    except KeyboardInterrupt:
        sys.exit("make bench: interrupted")
    plots = write_plots(results, DOCS)
    results.write(DOCS / "results.json")
    write_report(results, REPORT, plots, results.mode == "quick")
    print(f"\n{target_table(results)}\n\nwritten: {REPORT.name}, {DOCS.relative_to(ROOT)}/")


if __name__ == "__main__":
    main()
