import json
import logging
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from threading import Barrier, get_ident

import pytest

from u2net_cutout.contract.errors import CutoutError, InternalError, MissingSource
from u2net_cutout.worker.batch import each, guarded, together

IDS = ("id-0", "id-1", "id-2", "id-3")


def tenfold(number: int) -> int:
    if number == 0:
        raise MissingSource("nothing there")
    if number < 0:
        raise ZeroDivisionError("a secret path: /srv/models")
    return number * 10


def tenfold_together(numbers: list[int]) -> list[int]:
    return [tenfold(number) for number in numbers]


def codes(column: Sequence[object]) -> list[object]:
    return [entry.code if isinstance(entry, CutoutError) else entry for entry in column]


def test_each_result_stands_where_its_request_does() -> None:
    assert each(IDS, tenfold, [4, 3, 2, 1]) == [40, 30, 20, 10]


def test_a_step_sees_its_requests_entries_of_all_columns() -> None:
    def minus(first: int, second: int) -> int:
        return first - second

    assert each(IDS[:2], minus, [5, 7], [1, 2]) == [4, 5]


def test_a_refusal_stays_with_its_request() -> None:
    assert codes(each(IDS, tenfold, [1, 0, 2, 3])) == [10, "missing_source", 20, 30]


def test_an_unforeseen_failure_does_not_reach_the_others() -> None:
    assert codes(each(IDS, tenfold, [1, -1, 2, 3])) == [10, "internal_error", 20, 30]


def test_an_unforeseen_failure_is_told_with_the_request_id_and_no_more() -> None:
    (error,) = each(["id-7"], tenfold, [-1])

    assert isinstance(error, InternalError)
    assert error.detail == "request id-7 failed; the server's log tells why"


def test_an_unforeseen_failure_is_logged_under_the_request_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    each(["id-7"], tenfold, [-1])

    (record,) = caplog.records
    told = json.loads(record.getMessage())
    assert (record.levelno, told["event"], told["ids"]) == (logging.ERROR, "failure", ["id-7"])
    assert told["error"] == "ZeroDivisionError"
    assert "in tenfold" in told["traceback"]


def test_a_refusal_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    each(["id-7"], tenfold, [0])

    assert not caplog.records


@pytest.mark.parametrize("broken_column", [0, 1])
def test_an_earlier_error_is_passed_along(broken_column: int) -> None:
    columns: list[list[object]] = [[1, 2], [3, 4]]
    error = MissingSource("nothing there")
    columns[broken_column][0] = error

    assert each(IDS[:2], lambda first, second: (first, second), *columns) == [error, (2, 4)]


def test_of_two_errors_the_earlier_steps_is_kept() -> None:
    first, second = MissingSource("first"), MissingSource("second")

    (kept,) = each(["id-0"], tenfold, [first], [second])

    assert kept is first


def test_an_empty_batch_has_no_results() -> None:
    assert each((), tenfold, ()) == []


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        each(IDS, tenfold, [1, 2])


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def test_in_a_pool_the_requests_run_side_by_side_and_stay_in_order(pool: Executor) -> None:
    # Passed only by four threads at once.
    barrier = Barrier(4, timeout=30)

    def step(number: int) -> int:
        barrier.wait()
        return tenfold(number)

    assert each(IDS, step, [4, 3, 2, 1], pool=pool) == [40, 30, 20, 10]


def test_in_a_pool_whatever_fails_fails_alone(pool: Executor) -> None:
    assert codes(each(IDS, tenfold, [1, 0, -1, 3], pool=pool)) == [
        *(10, "missing_source"),
        *("internal_error", 30),
    ]


@pytest.mark.parametrize("pooled", [False, True])
def test_one_request_does_not_leave_its_thread(pool: Executor, pooled: bool) -> None:
    (thread,) = each(IDS[:1], lambda _: get_ident(), [1], pool=pool if pooled else None)

    assert thread == get_ident()


def test_a_batch_runs_together_once() -> None:
    batches: list[list[int]] = []

    def step(numbers: list[int]) -> list[int]:
        batches.append(numbers)
        return tenfold_together(numbers)

    results = together(IDS, step, [4, 3, 2, 1])

    assert (results, batches) == ([40, 30, 20, 10], [[4, 3, 2, 1]])


def test_errors_do_not_run_together_with_the_rest() -> None:
    error = MissingSource("nothing there")

    assert together(IDS, tenfold_together, [1, error, 2, 3]) == [10, error, 20, 30]


@pytest.mark.parametrize(("bad", "code"), [(0, "missing_source"), (-1, "internal_error")])
def test_when_a_batch_fails_only_the_culprit_pays(bad: int, code: str) -> None:
    assert codes(together(IDS, tenfold_together, [1, bad, 2, 3])) == [10, code, 20, 30]


def test_when_a_batch_fails_each_is_tried_alone() -> None:
    batches: list[list[int]] = []

    def step(numbers: list[int]) -> list[int]:
        batches.append(numbers)
        if len(numbers) > 1:
            raise MemoryError
        return tenfold_together(numbers)

    results = together(IDS, step, [1, 2, 3, 4])

    assert (results, batches) == ([10, 20, 30, 40], [[1, 2, 3, 4], [1], [2], [3], [4]])


def test_what_a_failed_batch_had_in_memory_is_gone_when_each_is_tried_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # pytest keeps what is logged, with its traceback and all that hangs on it.
    monkeypatch.setattr(logging.getLogger("request_batch"), "disabled", True)

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

    assert together(IDS, step, [1, 2, 3, 4]) == [10, 20, 30, 40]


def test_a_step_that_answers_too_few_is_not_believed() -> None:
    def forgetful(numbers: list[int]) -> list[int]:
        return tenfold_together(numbers[:1])

    assert together(IDS, forgetful, [1, 2, 3, 4]) == [10, 20, 30, 40]


@pytest.mark.parametrize("column", [(), (MissingSource("a"), MissingSource("b"))])
def test_without_a_good_entry_the_step_does_not_run(column: Sequence[object]) -> None:
    def never(numbers: list[int]) -> list[int]:
        raise AssertionError("ran")

    assert together(IDS[: len(column)], never, column) == list(column)


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
    assert codes(each(IDS, step, [1, 0, 2, 3])) == expected
    assert codes(together(IDS, step_together, [1, 0, 2, 3])) == expected


def test_a_request_that_recurses_without_end_fails_alone() -> None:
    def step(number: int) -> int:
        return step(number) if number == 0 else number

    assert codes(each(IDS, step, [1, 0, 2, 3])) == [1, "internal_error", 2, 3]


def test_a_failure_that_can_not_be_logged_is_still_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> str:
        raise MemoryError

    monkeypatch.setattr("u2net_cutout.worker.batch.failure", full)

    assert codes(each(["id-7"], tenfold, [-1])) == ["internal_error"]


def test_a_stage_that_fails_between_the_requests_is_an_error_of_each() -> None:
    pool = ThreadPoolExecutor(2)
    pool.shutdown()

    def stage(numbers: list[int]) -> list[int | CutoutError]:
        return each(IDS[:2], tenfold, numbers, pool=pool)

    column = guarded(IDS[:2], stage, [1, 2])

    assert codes(column) == ["internal_error"] * 2
    assert [str(error) for error in column] == [
        f"request {request_id} failed; the server's log tells why" for request_id in IDS[:2]
    ]


def test_a_stage_that_works_is_left_alone() -> None:
    assert guarded(IDS, lambda column: [n + 1 for n in column], [1, 2, 3, 4]) == [2, 3, 4, 5]
