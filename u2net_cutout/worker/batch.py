"""Keeps the requests of a batch apart: each step runs for each request by itself.

A batch is a column, an entry for each request: what the last step made of it, or the error that is
its answer. A step runs on the entries that are still good; the others are passed along. Nothing
that goes wrong leaves this module but as an entry: not even a library's ``sys.exit``, which would
end the worker and with it every request of the batch.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, TypeVar

from u2net_cutout.contract.errors import CutoutError, InternalError
from u2net_cutout.worker.request_log import failure

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
    except BaseException as error:
        _log(request_ids, error)
    # Not inside the above: until its end the error holds on to all that the batch had in memory.
    return each(request_ids, lambda entry: step([entry])[0], column)


def guarded(
    request_ids: Sequence[str],
    stage: Callable[..., Sequence[T | CutoutError]],
    *columns: Sequence[Any],
) -> Sequence[T | CutoutError]:
    """Run a stage that makes a whole column.

    Should it fail between the requests, such as for want of a thread, each has its own error.
    """
    try:
        return stage(*columns)
    except BaseException as error:
        _log(request_ids, error)
    return [_internal_error(request_id) for request_id in request_ids]


def _advance(step: Callable[..., T], request_id: str, *entries: Any) -> T | CutoutError:
    error = next((entry for entry in entries if isinstance(entry, CutoutError)), None)
    return _attempt(request_id, step, *entries) if error is None else error


def _attempt(request_id: str, step: Callable[..., T], *entries: Any) -> T | CutoutError:
    try:
        return step(*entries)
    except CutoutError as error:
        return error
    except BaseException as error:
        _log([request_id], error)
    return _internal_error(request_id)


def _log(request_ids: Sequence[str], error: BaseException) -> None:
    # Short of memory, or deep in a recursion, not even that may work.
    with suppress(Exception):
        logger.error(failure(request_ids, error))


def _internal_error(request_id: str) -> InternalError:
    return InternalError(f"request {request_id} failed; the server's log tells why")
