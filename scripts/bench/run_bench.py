"""Measure our server beside its peers, on this machine, in one run; write BENCHMARKS.md."""

import argparse
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench_cases import FULL, QUICK
from bench_errors import BenchError
from bench_machine import describe_machine, peer_versions
from bench_pictures import fetch_pictures, pictures_in
from bench_plots import write_plots
from bench_report import write_report
from bench_results import Results
from bench_run import Run
from contenders import contenders
from load_generator import find_hey
from machine_peak import network_operations
from peer_servers import shared_weights
from report_tables import target_table
from server_config import ServerError

ROOT = Path(__file__).resolve().parents[2]
PEER_PINS = Path(__file__).with_name("peers.txt")
REPORT = ROOT / "BENCHMARKS.md"
DOCS = ROOT / "docs" / "benchmarks"


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
    weights = shared_weights(arguments.build / "weights")
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
    run.measure(QUICK if arguments.quick else FULL)
    results.write(raw)
    print(f"raw results: {raw}")
    return results


def main() -> None:
    """Run the command line."""
    arguments = _parse()
    # However it is ended, the servers end too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        results = Results.read(arguments.report) if arguments.report else _measure(arguments)
    except (BenchError, ServerError) as error:
        sys.exit(f"make bench: {error}")
    except KeyboardInterrupt:
        sys.exit("make bench: interrupted")
    plots = write_plots(results, DOCS)
    results.published().write(DOCS / "results.json")
    write_report(results, REPORT, plots, results.mode == "quick")
    print(f"\n{target_table(results)}\n\nwritten: {REPORT.name}, {DOCS.relative_to(ROOT)}/")


if __name__ == "__main__":
    main()
