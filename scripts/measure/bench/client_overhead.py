"""Measure the client on a folder against hey, which only sends requests.

The server must run. Both send the same photo with the same concurrency, in turns; the client also
reads and writes files, and starts.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.common.options import OptionParser, positive
from scripts.common.paths import PHOTO
from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.hey import drive, find_hey
from scripts.measure.kit.request import Request
from scripts.torchserve.config import ServerConfig
from scripts.torchserve.management_api import ManagementApi

CLIENT = (sys.executable, "-c", "from u2net_cutout.cli.main import main; main()")


def client_rate(config: ServerConfig, model: str, folder: Path, jobs: int) -> float:
    """Return the pictures a second of one run of the command, from its start to its end.

    Raises:
        BenchError: it fails.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        out = Path(scratch) / "out"
        server = ["--url", config.inference_address, "--model", model]
        began = time.monotonic()
        done = subprocess.run(
            [*CLIENT, "p", str(folder), str(out), *server, "--jobs", str(jobs)],
            env={**os.environ, "U2NET_KEY": ManagementApi(config).token("inference")},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        count = sum(1 for _ in out.iterdir()) if out.exists() else 0
    if done.returncode != 0:
        raise BenchError(f"the client failed: {done.stderr}")
    return count / seconds


def hey_rate(
    config: ServerConfig, model: str, hey: Path, photo: Path, count: int, jobs: int
) -> float:
    """Return the pictures a second that hey gets.

    Raises:
        BenchError: it fails, or a response is no cutout.
    """
    token = ManagementApi(config).token("inference")
    headers = {"Authorization": f"Bearer {token}", "Accept": "image/png"}
    url = f"{config.inference_address}/predictions/{model}"
    load = drive(hey, Request(url, headers, "image/jpeg", photo), count, jobs)
    if load.errors:
        raise BenchError(f"{load.errors} of hey's requests failed")
    return load.rate


def client_overhead(line: Sequence[str]) -> None:
    """Measure a folder through u2net-cutout against the same photo through hey."""
    parser = OptionParser("client-overhead", "Measure u2net-cutout against hey.")
    parser.take("port", "build", "model", picture=PHOTO)
    parser.add_argument("--count", type=positive, default=48, help="pictures in a run")
    parser.add_argument("--jobs", type=positive, default=4)
    parser.add_argument("--rounds", type=positive, default=4)
    arguments = parser.parse_args(line)
    config = ServerConfig.of(arguments.port, arguments.build)
    model, photo = arguments.model, arguments.picture
    hey = find_hey(arguments.build / "bench")
    with tempfile.TemporaryDirectory(prefix="u2net-") as scratch:
        folder = Path(scratch) / "in"
        folder.mkdir()
        for number in range(arguments.count):
            shutil.copy(photo, folder / f"{number:04}{photo.suffix}")
        hey_rate(config, model, hey, photo, 2 * arguments.jobs, arguments.jobs)
        ratios = []
        for _ in range(arguments.rounds):
            theirs = hey_rate(config, model, hey, photo, arguments.count, arguments.jobs)
            ours = client_rate(config, model, folder, arguments.jobs)
            ratios.append(ours / theirs)
            print(f"hey {theirs:.2f}/s, client {ours:.2f}/s: {ratios[-1]:.3f}", flush=True)
    print(f"median {statistics.median(ratios):.3f}")
