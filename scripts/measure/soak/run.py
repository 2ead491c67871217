"""Send a real server all kinds of requests for hours, and check that it stays as it was."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from scripts.common.options import parse
from scripts.common.paths import ROOT
from scripts.measure.kit.host import describe_machine, served_facts
from scripts.measure.kit.our_server import AUTO, Product
from scripts.measure.soak.pictures import soak_pictures
from scripts.measure.soak.plot import write_plot
from scripts.measure.soak.record import Record
from scripts.measure.soak.request_mix import request_mix
from scripts.measure.soak.runner import CLIENTS, Soak
from scripts.measure.soak.verdict import judge
from scripts.torchserve.config import DEFAULT_PORT, ServerConfig
from scripts.torchserve.management_api import ManagementApi

PLOT = ROOT / "docs" / "soak.png"
MINUTES = 10.0


def _soak(arguments: argparse.Namespace) -> Record:
    product = Product(
        "soak",
        arguments.port,
        arguments.build,
        arguments.precision,
        workers=arguments.workers,
        place="soak",
    )
    mix = request_mix(soak_pictures(arguments.build / "photos", arguments.pip_args))
    print("starting a server as make serve does", flush=True)
    product.start()
    try:
        facts = served_facts(product.status())
        record = Record(
            datetime.now(UTC).date().isoformat(),
            {**describe_machine(), **{name: facts[name] for name in ("workers", "precision")}},
            CLIENTS,
            len(mix),
        )
        build = product.folder.resolve()
        config = ServerConfig(arguments.port, build / "servers", build / "model-store")
        seconds = arguments.hours * 3600 if arguments.hours else arguments.minutes * 60
        soak = Soak(product, ManagementApi(config), mix, seconds, record)
        soak.run()
    finally:
        product.stop()
    return record


def soak(line: Sequence[str]) -> None:
    """Send a server all kinds of requests for a time; exit with 1 if it does not stay as it was."""
    arguments = parse(
        "soak",
        "Send a server all kinds of requests for a time.",
        line,
        "build",
        "hours",
        "workers",
        "record",
        "publish",
        "pip-args",
        port=DEFAULT_PORT + 2000,
        precision=AUTO,
        minutes=MINUTES,
    )
    if arguments.record:
        path, record = arguments.record, Record.read(arguments.record)
    else:
        stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
        path = arguments.build / "soak" / "results" / f"{stamp}.json"
        record = _soak(arguments)
        record.write(path)
    plots = [path.with_suffix(".png"), *([PLOT] if arguments.publish else [])]
    for plot in plots:
        write_plot(record, plot)
    verdict = judge(record)
    print(f"\n{verdict}\n\nwritten: {path}, {', '.join(map(str, plots))}")
    sys.exit(0 if verdict.good else 1)
