"""Keeps the requests of a batch apart: each step runs for each request by itself.

A batch is a column, an entry for each request: what the last step made of it, or the error that is
its answer. A step runs on the entries that are still good; the others are passed along.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

from cutout_errors import CutoutError, InternalError

logger = logging.getLogger(__name__)

T = TypeVar("T")


def each(
    request_ids: Sequence[str],
    step: Callable[..., T],
    *columns: Sequence[Any],
    pool: Executor | None = None,
) -> list[T | CutoutError]:
    """Run `step` for each request on its entries of `columns`; return a column of the results.

    Whatever goes wrong for one request, foreseen or not, becomes that request's own entry. With a
    `pool` of threads the requests of a batch run side by side.
    """
    rows = list(zip(request_ids, *columns, strict=True))
    run = map if pool is None or len(rows) < 2 else pool.map
    return list(run(lambda row: _advance(step, *row), rows))


def together(
    request_ids: Sequence[str], step: Callable[[list[Any]], Sequence[T]], column: Sequence[Any]
) -> list[T | CutoutError]:
    """Run `step` once on all good entries of a column; return a column of its results, in order.

    Should it fail, it is tried on each entry alone, so that nobody pays for a batch mate.
    """
    good = [entry for entry in column if not isinstance(entry, CutoutError)]
    try:
        results = iter(step(good) if good else ())
        return [entry if isinstance(entry, CutoutError) else next(results) for entry in column]
    except Exception:
        logger.exception("a batch of %d failed together; trying each alone", len(good))
    # Not inside the above: until its end the error holds on to all that the batch had in memory.
    return each(request_ids, lambda entry: step([entry])[0], column)


def _advance(step: Callable[..., T], request_id: str, *entries: Any) -> T | CutoutError:
    error = next((entry for entry in entries if isinstance(entry, CutoutError)), None)
    return _attempt(request_id, step, *entries) if error is None else error


def _attempt(request_id: str, step: Callable[..., T], *entries: Any) -> T | CutoutError:
    try:
        return step(*entries)
    except CutoutError as error:
        return error
    except Exception:
        logger.exception("request %s failed", request_id)
        return InternalError(f"request {request_id} failed; the server's log tells why")
