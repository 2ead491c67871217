"""Load on a server by hey (https://github.com/rakyll/hey), which takes little CPU time.

Closed loop: each of `concurrency` clients sends the next request when it has the response.
"""

import csv
import math
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from scripts.measure.kit.debian import unpack
from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.percentiles import percentile
from scripts.measure.kit.request import TIMEOUT_S, Request

OTHERWISE = "install hey (apt install hey, or https://github.com/rakyll/hey) and have it on PATH"


@dataclass(frozen=True)
class Load:
    """The result of one run of hey."""

    seconds: float
    """From the first request to the last response."""
    latencies_ms: tuple[float, ...]
    """Of the responses with status 200, ascending."""
    errors: int
    """Responses of another status, and requests without a response."""

    @property
    def rate(self) -> float:
        """Responses with status 200 a second."""
        return len(self.latencies_ms) / self.seconds if self.latencies_ms else 0.0

    def percentile(self, share: float) -> float:
        """Return the milliseconds within which this share of the responses came."""
        return percentile(self.latencies_ms, share)


def find_hey(folder: Path) -> Path:
    """Return hey's path: the one on PATH, or Debian's, unpacked below `folder`.

    Raises:
        BenchError: it can't be fetched.
    """
    on_path = shutil.which("hey")
    return Path(on_path) if on_path else unpack("hey", folder, OTHERWISE) / "usr" / "bin" / "hey"


def drive(
    hey: Path, request: Request, requests: int, concurrency: int, prefix: Sequence[str] = ()
) -> Load:
    """Send this many requests, a multiple of `concurrency`.

    `prefix` is put before the command, such as ``ip netns exec ...``.

    Raises:
        BenchError: hey fails, or `requests` is no multiple of `concurrency`.
    """
    if requests % concurrency:
        raise BenchError(f"{requests} requests are not a multiple of {concurrency} clients")
    command = [
        *(*prefix, str(hey), "-n", str(requests), "-c", str(concurrency), "-o", "csv"),
        *("-m", "POST", "-t", str(TIMEOUT_S), "-T", request.content_type),
        *(part for item in request.headers.items() for part in ("-H", ": ".join(item))),
        *("-D", str(request.body), request.url),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"hey failed: {done.stderr.strip() or done.stdout.strip()}")
    return parse_csv(done.stdout, requests)


def parse_csv(text: str, sent: int) -> Load:
    """Parse hey's CSV: a row for each response; a request without one has no row."""
    rows = list(csv.DictReader(StringIO(text)))
    starts = [float(row["offset"]) for row in rows]
    took = [float(row["response-time"]) for row in rows]
    good = sorted(
        seconds * 1000
        for seconds, row in zip(took, rows, strict=True)
        if row["status-code"] == "200"
    )
    ends = [start + seconds for start, seconds in zip(starts, took, strict=True)]
    seconds = max(ends) - min(starts) if rows else math.nan
    return Load(seconds, tuple(good), sent - len(good))
