import json
import logging
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from threading import Barrier, get_ident
from typing import NoReturn

import pytest

from u2net_cutout.contract.errors import CutoutError, InternalError, MissingSource
from u2net_cutout.pipeline.request import ReceivedRequest
from u2net_cutout.worker.batch import Batch, Entry


def tenfold(number: int) -> int:
    if number == 0:
        raise MissingSource("nothing there")
    if number < 0:
        raise ZeroDivisionError("a secret path: /srv/models")
    return number * 10


def tenfold_together(numbers: list[int]) -> list[int]:
    return [tenfold(number) for number in numbers]


def batch(*outcomes: int | CutoutError, pool: Executor | None = None) -> Batch[int]:
    """A batch of requests id-0, id-1, ... with these outcomes of the last step."""
    received = ReceivedRequest({})
    entries = [Entry(f"id-{index}", received, each) for index, each in enumerate(outcomes)]
    return Batch(entries, pool)


def codes(batch: Batch[int]) -> list[object]:
    return [out.code if isinstance(out, CutoutError) else out for out in batch.outcomes]


def test_each_result_stands_where_its_request_does() -> None:
    assert batch(4, 3, 2, 1).map(tenfold).outcomes == [40, 30, 20, 10]


def test_a_step_sees_its_requests_values_of_all_columns() -> None:
    def minus(first: int, second: int) -> int:
        return first - second

    assert batch(5, 7).map(minus, [1, 2]).outcomes == [4, 5]


def test_a_refusal_stays_with_its_request() -> None:
    assert codes(batch(1, 0, 2, 3).map(tenfold)) == [10, "missing_source", 20, 30]


def test_an_unforeseen_failure_does_not_reach_the_others() -> None:
    assert codes(batch(1, -1, 2, 3).map(tenfold)) == [10, "internal_error", 20, 30]


def test_an_unforeseen_failure_is_told_with_the_request_id_and_no_more() -> None:
    (error,) = batch(-1).map(tenfold).outcomes

    assert isinstance(error, InternalError)
    assert error.detail == "request id-0 failed; the server's log has the reason"


def test_an_unforeseen_failure_is_logged_under_the_request_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    batch(-1).map(tenfold)

    (record,) = caplog.records
    told = json.loads(record.getMessage())
    assert (record.levelno, told["event"], told["ids"]) == (logging.ERROR, "failure", ["id-0"])
    assert told["error"] == "ZeroDivisionError"
    assert "in tenfold" in told["traceback"]


def test_a_refusal_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    batch(0).map(tenfold)

    assert not caplog.records


def test_an_earlier_error_is_passed_along() -> None:
    error = MissingSource("nothing there")

    assert batch(error, 2).map(tenfold).outcomes == [error, 20]


def test_id_fields_headers_and_timing_stay_with_their_request() -> None:
    requests = [ReceivedRequest({"body": bytes(1)}, {"Accept": "image/png"}), ReceivedRequest({})]
    entries = [Entry(f"id-{index}", each, index) for index, each in enumerate(requests)]

    done = Batch(entries).map(tenfold).run_together(tenfold_together)

    assert [entry.received for entry in done.entries] == requests
    assert [entry.received.timing for entry in done.entries] == [each.timing for each in requests]
    assert done.request_ids == ["id-0", "id-1"]


def test_a_request_that_was_refused_at_once_has_its_headers_and_no_fields() -> None:
    error = MissingSource("nothing there")

    refused = Entry.of("id-0", error, {"Accept": "image/png"})
    received = Entry.of("id-1", {"body": b"photo"}, {"Accept": "image/webp"})

    assert (refused.received.row, refused.outcome) == ({}, error)
    assert refused.received.headers == {"Accept": "image/png"}
    assert received.outcome is received.received
    assert received.received.row == {"body": b"photo"}
    assert received.received.headers == {"Accept": "image/webp"}


def test_an_empty_batch_has_no_results() -> None:
    assert batch().map(tenfold).outcomes == []


@pytest.mark.parametrize("column", [[1, 2], [1, 2, 3, 4]])
def test_columns_of_other_lengths_are_refused(column: list[int]) -> None:
    with pytest.raises(ValueError, match="zip"):
        batch(1, 2, 3).map(tenfold, column)


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


@pytest.mark.parametrize("numbers", [(4, 3, 2, 1), (2, 1)])
def test_in_a_pool_the_requests_run_side_by_side_and_stay_in_order(
    pool: Executor, numbers: Sequence[int]
) -> None:
    # Passed only by as many threads at once.
    barrier = Barrier(len(numbers), timeout=30)

    def step(number: int) -> int:
        barrier.wait()
        return tenfold(number)

    done = batch(*numbers, pool=pool).map(step)

    assert done.outcomes == [10 * number for number in numbers]


def test_in_a_pool_whatever_fails_fails_alone(pool: Executor) -> None:
    assert codes(batch(1, 0, -1, 3, pool=pool).map(tenfold)) == [
        *(10, "missing_source"),
        *("internal_error", 30),
    ]


@pytest.mark.parametrize("pooled", [False, True])
def test_one_request_does_not_leave_its_thread(pool: Executor, pooled: bool) -> None:
    (thread,) = batch(1, pool=pool if pooled else None).map(lambda _: get_ident()).outcomes

    assert thread == get_ident()


def test_a_batch_runs_together_once() -> None:
    batches: list[list[int]] = []

    def step(numbers: list[int]) -> list[int]:
        batches.append(numbers)
        return tenfold_together(numbers)

    results = batch(4, 3, 2, 1).run_together(step).outcomes

    assert (results, batches) == ([40, 30, 20, 10], [[4, 3, 2, 1]])


def test_errors_do_not_run_together_with_the_rest() -> None:
    error = MissingSource("nothing there")

    done = batch(1, error, 2, 3).run_together(tenfold_together)

    assert done.outcomes == [10, error, 20, 30]


@pytest.mark.parametrize(("bad", "code"), [(0, "missing_source"), (-1, "internal_error")])
def test_when_a_batch_fails_only_the_culprit_pays(bad: int, code: str) -> None:
    assert codes(batch(1, bad, 2, 3).run_together(tenfold_together)) == [10, code, 20, 30]


def test_when_a_batch_fails_each_is_tried_alone() -> None:
    batches: list[list[int]] = []

    def step(numbers: list[int]) -> list[int]:
        batches.append(numbers)
        if len(numbers) > 1:
            raise MemoryError
        return tenfold_together(numbers)

    results = batch(1, 2, 3, 4).run_together(step).outcomes

    assert (results, batches) == ([10, 20, 30, 40], [[1, 2, 3, 4], [1], [2], [3], [4]])


def test_what_a_failed_batch_had_in_memory_is_gone_when_each_is_tried_alone() -> None:
    class Activations:
        """What a network would have on a GPU."""

    held: list[weakref.ref[Activations]] = []

    def step(numbers: list[int]) -> list[int]:
        if len(numbers) > 1:
            activations = Activations()
            held.append(weakref.ref(activations))
            raise MemoryError
        assert held[0]() is None
        return tenfold_together(numbers)

    assert batch(1, 2, 3, 4).run_together(step).outcomes == [10, 20, 30, 40]


def test_a_step_that_answers_too_few_is_not_believed() -> None:
    def forgetful(numbers: list[int]) -> list[int]:
        return tenfold_together(numbers[:1])

    assert batch(1, 2, 3, 4).run_together(forgetful).outcomes == [10, 20, 30, 40]


@pytest.mark.parametrize("outcomes", [(), (MissingSource("a"), MissingSource("b"))])
def test_without_a_good_entry_the_step_does_not_run(outcomes: Sequence[CutoutError]) -> None:
    def never(numbers: list[int]) -> list[int]:
        raise AssertionError("ran")

    assert batch(*outcomes).run_together(never).outcomes == list(outcomes)


@pytest.mark.parametrize(
    "error", [SystemExit(1), KeyboardInterrupt(), MemoryError(), RecursionError()], ids=repr
)
def test_not_even_what_ends_a_process_reaches_the_others(error: BaseException) -> None:
    def step(number: int) -> int:
        if number == 0:
            raise error
        return number

    def step_together(numbers: list[int]) -> list[int]:
        return [step(number) for number in numbers]

    expected = [1, "internal_error", 2, 3]
    assert codes(batch(1, 0, 2, 3).map(step)) == expected
    assert codes(batch(1, 0, 2, 3).run_together(step_together)) == expected


def test_a_request_that_recurses_without_end_fails_alone() -> None:
    def step(number: int) -> int:
        return step(number) if number == 0 else number

    assert codes(batch(1, 0, 2, 3).map(step)) == [1, "internal_error", 2, 3]


def test_a_failure_that_can_not_be_logged_is_still_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> str:
        raise MemoryError

    monkeypatch.setattr("u2net_cutout.worker.batch.failure", full)

    assert codes(batch(-1).map(tenfold)) == ["internal_error"]


def test_a_stage_that_fails_between_the_requests_is_an_error_of_each_that_was_good() -> None:
    pool = ThreadPoolExecutor(2)
    pool.shutdown()
    refused = MissingSource("nothing there")

    done = batch(1, refused, 2, pool=pool).guard(lambda given: given.map(tenfold))

    assert codes(done) == ["internal_error", "missing_source", "internal_error"]
    assert [str(error) for error in done.outcomes] == [
        "request id-0 failed; the server's log has the reason",
        "nothing there",
        "request id-2 failed; the server's log has the reason",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda given: None,
        lambda given: Batch(given.entries[1:]),
        lambda given: Batch(given.entries[:1]),
    ],
    ids=["none", "without the first", "without the last"],
)
def test_a_stage_that_returns_another_batch_is_not_believed(
    wrong: Callable[[Batch[int]], Batch[int]],
) -> None:
    assert codes(batch(1, 2).guard(wrong)) == ["internal_error"] * 2


def test_a_stage_that_works_is_left_alone() -> None:
    assert batch(1, 2).guard(lambda given: given.map(tenfold)).outcomes == [10, 20]


def test_a_failure_of_all_is_logged_under_every_request_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: object) -> NoReturn:
        raise MemoryError

    batch(1, 2).guard(fail)
    batch(1, 2).run_together(lambda numbers: numbers if len(numbers) == 1 else fail(numbers))

    told = [json.loads(record.getMessage()) for record in caplog.records]
    assert [each["ids"] for each in told] == [["id-0", "id-1"]] * 2


def test_of_a_request_alone_more_results_than_one_are_not_believed() -> None:
    def generous(numbers: list[int]) -> list[int]:
        if len(numbers) > 1:
            raise MemoryError
        return numbers * 2

    assert codes(batch(1, 2).run_together(generous)) == ["internal_error"] * 2
