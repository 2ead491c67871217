"""The error of measurements."""

from scripts.common.errors import CommandError


class BenchError(CommandError):
    """Something can't be measured; the message says why and what to do."""
