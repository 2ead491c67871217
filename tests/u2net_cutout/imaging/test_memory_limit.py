import resource
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier

import pytest

from u2net_cutout.imaging import memory_limit as memory_budget
from u2net_cutout.imaging.memory_limit import MemoryBudgets

MIB = 1 << 20


def allowed() -> int:
    return resource.getrlimit(resource.RLIMIT_DATA)[0]


def test_within_its_budget_a_block_gets_its_memory() -> None:
    with MemoryBudgets().take(200 * MIB):
        assert len(bytearray(100 * MIB)) == 100 * MIB


def test_beyond_it_gets_none_and_what_follows_does() -> None:
    before, budgets = allowed(), MemoryBudgets()

    # Too large for what other tests have left behind.
    with budgets.take(50 * MIB), pytest.raises(MemoryError):
        bytearray(4000 * MIB)

    assert allowed() == before
    assert len(bytearray(100 * MIB)) == 100 * MIB


def test_an_error_ends_a_budget() -> None:
    before, budgets = allowed(), MemoryBudgets()

    with pytest.raises(KeyError), budgets.take(MIB):
        raise KeyError

    assert allowed() == before


def test_blocks_that_run_side_by_side_share_the_sum() -> None:
    before, budgets, both = allowed(), MemoryBudgets(), Barrier(2)

    def limit() -> int:
        with budgets.take(100 * MIB):
            both.wait(timeout=10)
            seen = allowed()
            both.wait(timeout=10)
            return seen

    with budgets.take(50 * MIB):
        alone = allowed()
        with ThreadPoolExecutor(2) as pool:
            seen = [task.result() for task in [pool.submit(limit), pool.submit(limit)]]

    assert [each - alone for each in seen] == [200 * MIB, 200 * MIB]
    assert allowed() == before


def test_what_a_block_leaves_is_not_taken_from_those_that_still_run() -> None:
    before, budgets = allowed(), MemoryBudgets()

    with budgets.take(100 * MIB):
        with budgets.take(100 * MIB):
            kept = bytearray(90 * MIB)
        assert len(bytearray(80 * MIB)) == 80 * MIB
        # Too large for what other tests have left behind.
        with pytest.raises(MemoryError):
            bytearray(4000 * MIB)

    assert len(kept) == 90 * MIB
    assert allowed() == before


def test_blocks_that_always_overlap_do_not_add_up() -> None:
    before, budgets = allowed(), MemoryBudgets()
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(budgets.take(50 * MIB))
        alone = allowed()
        for leaving, coming in [(first, second), (second, first)] * 5:
            coming.enter_context(budgets.take(50 * MIB))
            assert len(bytearray(40 * MIB)) == 40 * MIB
            leaving.close()
            assert allowed() - alone < 10 * MIB

    assert allowed() == before


def test_where_nothing_tells_what_a_process_has_nothing_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = allowed()
    monkeypatch.setattr(memory_budget, "STATM", tmp_path / "statm")

    with MemoryBudgets().take(MIB):
        assert allowed() == before


def test_a_limit_that_was_there_before_counts_and_comes_back() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    lower = 1 << 41
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (lower, hard))
        with MemoryBudgets().take(1 << 42):
            within = resource.getrlimit(resource.RLIMIT_DATA)
        after = resource.getrlimit(resource.RLIMIT_DATA)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))

    assert within == after == (lower, hard)
