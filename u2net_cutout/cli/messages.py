"""What the command prints for its user."""

import sys
from contextlib import suppress


def print_message(text: str) -> None:
    """Print a text to stderr, unless the terminal is gone."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)
