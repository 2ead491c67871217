"""Keeps the requests of a batch apart: each step runs for each request by itself.

An entry holds what the last step made of its request, or the error that is its response. A step
runs on the good entries and passes the others along. Every exception becomes an entry's own error,
also a library's ``sys.exit``, which would end the worker and with it every request of the batch.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

from u2net_cutout.contract.errors import CutoutError, InternalError
from u2net_cutout.pipeline.request import ReceivedRequest
from u2net_cutout.worker.request_log import failure

logger = logging.getLogger(__name__)

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One request of a batch."""

    request_id: str
    received: ReceivedRequest
    """Its fields, headers and timing."""
    outcome: T | CutoutError
    """What the last step made of it, or the error that is its response."""

    @classmethod
    def of(
        cls, request_id: str, row: Mapping[str, object] | CutoutError, headers: Mapping[str, object]
    ) -> "Entry[ReceivedRequest]":
        """Return the entry of a request that was received, or refused at once."""
        if isinstance(row, CutoutError):
            return Entry(request_id, ReceivedRequest({}, headers), row)
        received = ReceivedRequest(row, headers)
        return Entry(request_id, received, received)


@dataclass(frozen=True)
class Batch(Generic[T]):
    """The requests that share a run of the network, in order."""

    entries: Sequence[Entry[T]]
    pool: Executor | None = None
    """Threads in which the requests run side by side; None: one after the other."""

    @property
    def outcomes(self) -> list[T | CutoutError]:
        """What the last step made of each request."""
        return [entry.outcome for entry in self.entries]

    @property
    def request_ids(self) -> list[str]:
        """The id of each request."""
        return [entry.request_id for entry in self.entries]

    def map(self, step: Callable[..., U], *columns: Sequence[Any]) -> "Batch[U]":
        """Run `step` on each good entry's outcome, and on its values of `columns`."""
        rows = list(zip(self.entries, *columns, strict=True))
        if self.pool is None or len(rows) < 2:
            return self._with(_advance(step, *row) for row in rows)
        return self._with(self.pool.map(lambda row: _advance(step, *row), rows))

    def run_together(self, step: Callable[[list[T]], Sequence[U]]) -> "Batch[U]":
        """Run `step` once on the outcomes of all good entries; it returns as many results.

        If it fails it runs again for each of them alone, so that only the culprit has an error.
        """
        good = [outcome for outcome in self.outcomes if not isinstance(outcome, CutoutError)]
        try:
            results = iter(step(good) if good else ())
            return self._with(_replaced(self.outcomes, results))
        except BaseException as error:
            _log(self.request_ids, error)
        # After the block: until its end the error keeps all that the batch had in memory.
        return self._with(_advance(_alone, entry, step) for entry in self.entries)

    def guard(self, stage: "Callable[[Batch[T]], Batch[U]]") -> "Batch[U]":
        """Run a stage for the whole batch.

        If it fails between the requests, as without a free thread, each good entry has an error.
        """
        try:
            done = stage(self)
            if done.request_ids != self.request_ids:
                raise ValueError("a stage returned another batch than it was given")
            return done
        except BaseException as error:
            _log(self.request_ids, error)
        return self._with(
            entry.outcome
            if isinstance(entry.outcome, CutoutError)
            else _internal_error(entry.request_id)
            for entry in self.entries
        )

    def _with(self, outcomes: Iterable[U | CutoutError]) -> "Batch[U]":
        entries = [
            replace(cast(Entry[Any], entry), outcome=outcome)
            for entry, outcome in zip(self.entries, outcomes, strict=True)
        ]
        return Batch(entries, self.pool)


def _alone(outcome: T, step: Callable[[list[T]], Sequence[U]]) -> U:
    (result,) = step([outcome])
    return result


def _replaced(
    outcomes: Iterable[Any | CutoutError], results: Iterator[U]
) -> Sequence[U | CutoutError]:
    return [outcome if isinstance(outcome, CutoutError) else next(results) for outcome in outcomes]


def _advance(step: Callable[..., U], entry: Entry[Any], *others: Any) -> U | CutoutError:
    if isinstance(entry.outcome, CutoutError):
        return entry.outcome
    try:
        return step(entry.outcome, *others)
    except CutoutError as error:
        return error
    except BaseException as error:
        _log([entry.request_id], error)
    return _internal_error(entry.request_id)


def _log(request_ids: Sequence[str], error: BaseException) -> None:
    # Without memory, or deep in a recursion, even logging may fail.
    with suppress(Exception):
        logger.error(failure(request_ids, error))


def _internal_error(request_id: str) -> InternalError:
    return InternalError(f"request {request_id} failed; the server's log has the reason")
