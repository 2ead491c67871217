"""Measure our server and its peers on this machine, in one run; write BENCHMARKS.md."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from scripts.common.options import OptionParser
from scripts.common.paths import ROOT
from scripts.measure.bench.cases import FULL, ISNET_CASES, QUICK
from scripts.measure.bench.contenders import contenders
from scripts.measure.bench.float32_export import write_float32
from scripts.measure.bench.peers import ISNET_GENERAL, U2NET, shared_isnet, shared_weights
from scripts.measure.bench.plots import write_plots
from scripts.measure.bench.report import write_report
from scripts.measure.bench.results import Results
from scripts.measure.bench.runner import Run
from scripts.measure.bench.tables import target_table
from scripts.measure.kit.hey import find_hey
from scripts.measure.kit.host import describe_machine, peer_versions
from scripts.measure.kit.machine_peak import network_operations
from scripts.measure.kit.photos import fetch_pictures, pictures_in

PEER_PINS = Path(__file__).with_name("peers.txt")
REPORT = ROOT / "BENCHMARKS.md"
DOCS = ROOT / "docs" / "benchmarks"


def _measure(arguments: argparse.Namespace) -> Results:
    folder = arguments.build / "bench"
    weights = {U2NET: shared_weights(arguments.build / "weights")}
    isnet = shared_isnet(arguments.build / "weights")
    if isnet is not None:
        weights[ISNET_GENERAL] = folder / "isnet-float32.onnx"
        folder.mkdir(parents=True, exist_ok=True)
        write_float32(isnet, weights[ISNET_GENERAL])
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
    run = Run(
        contenders(arguments.build, weights, arguments.port, arguments.peer_port),
        pictures,
        hey,
        arguments.lock,
        results,
        raw,
    )
    cases = QUICK if arguments.quick else FULL
    run.measure(tuple(case for case in cases if isnet or case.name not in ISNET_CASES))
    results.write(raw)
    print(f"raw results: {raw}")
    return results


def bench(line: Sequence[str]) -> None:
    """Measure beside rembg, LitServe and .tolist(), and write BENCHMARKS.md."""
    parser = OptionParser("bench", "Measure beside the peers and write BENCHMARKS.md.")
    parser.take("build", "pictures", "quick", "lock", port=9080)
    parser.add_argument("--peer-port", type=int, default=9300, help="first port of the peers")
    parser.add_argument("--report", type=Path, help="write the report from these raw results only")
    arguments = parser.parse_args(line)
    results = Results.read(arguments.report) if arguments.report else _measure(arguments)
    plots = write_plots(results, DOCS)
    results.published().write(DOCS / "results.json")
    write_report(results, REPORT, plots, results.mode == "quick")
    print(f"\n{target_table(results)}\n\nwritten: {REPORT.name}, {DOCS.relative_to(ROOT)}/")
