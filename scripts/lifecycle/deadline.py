"""How long a command waits for others, and what it says meanwhile."""

import time
from dataclasses import dataclass, field

from scripts.torchserve.config import ServerError

PAUSE_S = 0.1
# A person sees that something goes on; a log is not filled.
SPEECH_PAUSE_S = 2.0


class OverdueError(ServerError):
    """Requests or workers take longer than the command may wait."""


@dataclass
class Patience:
    """A limit in seconds, counted from now, and the last thing that was said."""

    seconds: float
    _start: float = field(default_factory=time.monotonic, init=False)
    _said: str = field(default="", init=False)
    _said_at: float = field(default_factory=time.monotonic, init=False)

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def wait(self, for_what: str) -> bool:
        """Pause a little and return True; at once False when the time is over.

        `for_what` is printed if it is new, and not too soon: a short wait is silent.
        """
        if self.spent > self.seconds:
            return False
        if for_what != self._said and time.monotonic() - self._said_at > SPEECH_PAUSE_S:
            print(f"  {self.spent:3.0f} s: {for_what}", flush=True)
            self._said, self._said_at = for_what, time.monotonic()
        time.sleep(PAUSE_S)
        return True
