"""How long a command waits, and what it reports meanwhile."""

import time
from dataclasses import dataclass, field

from scripts.torchserve.config import ServerError

PAUSE_S = 0.1
# Often enough for a person, and a log is not filled.
REPORT_INTERVAL_S = 2.0


class OverdueError(ServerError):
    """Requests or workers take longer than the command may wait."""


@dataclass
class Deadline:
    """A limit in seconds from now on, and what was reported last."""

    seconds: float
    _start: float = field(default_factory=time.monotonic, init=False)
    _reported: str = field(default="", init=False)
    _reported_at: float = field(default_factory=time.monotonic, init=False)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def wait(self, reason: str) -> bool:
        """Pause a little and return True; at once False when the deadline has passed.

        `reason` is printed if it is new, and some seconds after the last one: a short wait is
        silent.
        """
        if self.elapsed > self.seconds:
            return False
        if reason != self._reported and time.monotonic() - self._reported_at > REPORT_INTERVAL_S:
            print(f"  {self.elapsed:3.0f} s: {reason}", flush=True)
            self._reported, self._reported_at = reason, time.monotonic()
        time.sleep(PAUSE_S)
        return True
