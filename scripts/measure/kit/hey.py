"""Load on a server by hey (https://github.com/rakyll/hey): little CPU, every latency told.

Closed loop: `concurrency` clients ask again as soon as they are answered.
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

OTHERWISE = "install hey (apt install hey, or https://github.com/rakyll/hey) and have it on PATH"
TIMEOUT_S = 600


@dataclass(frozen=True)
class Request:
    """What is sent again and again; `body` is a file."""

    url: str
    headers: dict[str, str]
    content_type: str
    body: Path


@dataclass(frozen=True)
class Load:
    """What came of it."""

    seconds: float
    """From the first request to the last answer."""
    latencies_ms: tuple[float, ...]
    """Of the good answers, the shortest first."""
    errors: int
    """Answers of another status than 200, and requests without an answer."""

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return len(self.latencies_ms) / self.seconds if self.latencies_ms else 0.0

    def percentile(self, share: float) -> float:
        """Return the milliseconds within which this share of the requests was answered."""
        if not self.latencies_ms:
            return math.nan
        rank = math.ceil(share * len(self.latencies_ms))
        return self.latencies_ms[max(rank, 1) - 1]


def find_hey(folder: Path) -> Path:
    """Return the generator: the one on PATH, or Debian's, unpacked below `folder`.

    Raises:
        BenchError: it can't be fetched.
    """
    on_path = shutil.which("hey")
    return Path(on_path) if on_path else unpack("hey", folder, OTHERWISE) / "usr" / "bin" / "hey"


def drive(
    hey: Path, request: Request, requests: int, concurrency: int, prefix: Sequence[str] = ()
) -> Load:
    """Send this many requests, a multiple of `concurrency`.

    `prefix` runs the generator elsewhere: ``ip netns exec ...``.

    Raises:
        BenchError: the generator fails, or can't send exactly so many.
    """
    if requests % concurrency:
        raise BenchError(f"{requests} requests can't be shared by {concurrency} clients")
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
    """Read what hey writes: a row an answer, none for a request that had no answer."""
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
