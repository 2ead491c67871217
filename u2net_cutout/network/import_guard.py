"""Keeps a library from importing modules that it only tries, and that nothing here uses."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def skipped_imports(*modules: str) -> Iterator[None]:
    """Let these modules count as not installed, unless they are imported already.

    An import inside then raises ``ModuleNotFoundError``; ``sys.modules`` holding None means that:
    https://docs.python.org/3/reference/import.html#the-module-cache.
    """
    skipped = [name for name in modules if name not in sys.modules]
    # The cache may hold None, which its type does not say.
    cache: dict[str, object] = sys.modules  # type: ignore[assignment]
    cache.update(dict.fromkeys(skipped))
    try:
        yield
    finally:
        for name in skipped:
            del cache[name]
