"""Ask a real server for hours in every way, and say whether it stays as it was."""

import argparse
import asyncio
import os
import shlex
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench_errors import BenchError
from bench_machine import describe_machine, served_facts
from management_api import ManagementApi
from product_server import AUTO, Product
from server_config import DEFAULT_PORT, ServerConfig, ServerError
from soak_pictures import soak_pictures
from soak_plot import write_plot
from soak_record import Record
from soak_requests import deck
from soak_run import CLIENTS, Soak
from soak_verdict import judge
from wheel_data import WheelDataError

ROOT = Path(__file__).resolve().parents[2]
PLOT = ROOT / "docs" / "soak.png"
MINUTES = 10.0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="folder of all that is generated")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT + 2000, help="of its own server")
    parser.add_argument("--precision", default=AUTO)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--hours", type=float, help="instead")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--record", type=Path, help="judge and plot what an earlier soak wrote")
    parser.add_argument("--publish", action="store_true", help="write docs/soak.png as well")
    return parser.parse_args()


def _soak(arguments: argparse.Namespace) -> Record:
    product = Product(
        "soak",
        arguments.port,
        arguments.build,
        arguments.precision,
        workers=arguments.workers,
        place="soak",
    )
    pip_args = shlex.split(os.environ.get("PIP_ARGS", ""))
    asks = deck(soak_pictures(arguments.build / "photos", pip_args))
    print("starting a server as make serve does", flush=True)
    product.start()
    try:
        facts = served_facts(product.make("status"))
        record = Record(
            datetime.now(UTC).date().isoformat(),
            {**describe_machine(), **{name: facts[name] for name in ("workers", "precision")}},
            CLIENTS,
            len(asks),
        )
        build = product.folder.resolve()
        config = ServerConfig(arguments.port, build / "servers", build / "model-store")
        seconds = arguments.hours * 3600 if arguments.hours else arguments.minutes * 60
        soak = Soak(product, ManagementApi(config), asks, seconds, record)
        asyncio.run(soak.run())
    finally:
        product.stop()
    return record


def main() -> None:
    """Run the command line; the exit status is 1 where the verdict is bad."""
    arguments = _parse()
    # However it is ended, the server ends too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments.record:
            path, record = arguments.record, Record.read(arguments.record)
        else:
            stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
            path = arguments.build / "soak" / "results" / f"{stamp}.json"
            record = _soak(arguments)
            record.write(path)
    except (BenchError, ServerError, WheelDataError) as error:
        sys.exit(f"make soak: {error}")
    except KeyboardInterrupt:
        sys.exit("make soak: interrupted")
    plots = [path.with_suffix(".png"), *([PLOT] if arguments.publish else [])]
    for plot in plots:
        write_plot(record, plot)
    verdict = judge(record)
    print(f"\n{verdict}\n\nwritten: {path}, {', '.join(map(str, plots))}")
    sys.exit(0 if verdict.good else 1)


if __name__ == "__main__":
    main()
