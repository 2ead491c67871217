"""When TorchServe restarts dead workers, from its log; nothing else shows that."""

import re
import time
from dataclasses import dataclass
from datetime import datetime

import psutil

from scripts.torchserve.config import ServerConfig

# scripts/torchserve/log4j2.xml has the form of a line, WorkerThread.java the words.
RETRY = re.compile(r"^(\S+) .* Retry worker: (\d+) in (\d+) seconds\.$")
GIVEN_UP = re.compile(r"^(\S+) .* W-(\d+)-\S+ \S+ - Auto recovery failed again$")

# A worker that should have been started this long ago was not.
GRACE_S = 5


@dataclass(frozen=True)
class RestartLog:
    """Every planned restart: the worker's id, and when it is due, in seconds since 1970."""

    planned: tuple[tuple[str, float], ...]
    given_up: tuple[tuple[str, float], ...] = ()
    """When TorchServe gave a worker up: its id, and the time."""

    @classmethod
    def read(cls, config: ServerConfig, server: psutil.Process) -> "RestartLog":
        """Read those of a running server, as far as its log goes back.

        Lines are missing where the log has rolled over, or the disk was full.
        """
        planned: list[tuple[str, float]] = []
        given_up: list[tuple[str, float]] = []
        try:
            with (config.logs / "ts_log.log").open(encoding="utf-8", errors="replace") as log:
                for line in log:
                    found = RETRY.match(line.rstrip()) or GIVEN_UP.match(line.rstrip())
                    if not found:
                        continue
                    logged = datetime.fromisoformat(found[1].replace(",", ".")).timestamp()
                    # An earlier server wrote into the same file.
                    if logged < server.create_time():
                        continue
                    if found.re is RETRY:
                        planned.append((found[2], logged + int(found[3])))
                    else:
                        given_up.append((found[2], logged))
        except OSError:
            pass
        return cls(tuple(planned), tuple(given_up))

    def count(self, worker: str) -> int:
        """Return how often a worker was restarted."""
        return sum(each == worker for each, _ in self.planned)

    def seconds_until_next(self, worker: str) -> float | None:
        """Return in how many seconds a dead worker is restarted; None: never."""
        due = max((due for each, due in self.planned if each == worker), default=0.0)
        if due <= max((logged for each, logged in self.given_up if each == worker), default=0.0):
            return None
        seconds = due - time.time()
        return seconds if seconds > -GRACE_S else None
