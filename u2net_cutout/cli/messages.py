"""What the command prints for its user."""

import sys
import time
from contextlib import suppress
from threading import Lock

from tqdm import tqdm

from u2net_cutout.client.errors import ClientError

# Every picture in flight is tried again: one line in this time says it for all.
RETRY_INTERVAL_S = 10.0


def print_message(text: str) -> None:
    """Print a text to stderr, unless the terminal is gone."""
    with suppress(OSError):
        if sys.stderr.isatty():
            tqdm.write(text, file=sys.stderr)  # above the progress bar
        else:
            print(text, file=sys.stderr)
        sys.stderr.flush()


class RetryReport:
    """Says why pictures wait to be sent again; threads share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._next = 0.0

    def __call__(self, error: ClientError, pause_s: float) -> None:
        """Print the failure and the pause, unless something was printed a moment ago."""
        with self._lock:
            now = time.monotonic()
            if now < self._next:
                return
            self._next = now + RETRY_INTERVAL_S
        print_message(f"{error}; trying again in {pause_s:.0f} s")
