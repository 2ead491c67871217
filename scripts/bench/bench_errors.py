"""The one error of ``make bench``."""


class BenchError(Exception):
    """Something can't be measured; the message says why and what to do."""
