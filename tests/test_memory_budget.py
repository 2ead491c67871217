import resource
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from memory_budget import MemoryBudgets

MIB = 1 << 20


def allowed() -> int:
    return resource.getrlimit(resource.RLIMIT_DATA)[0]


def test_within_its_budget_a_block_gets_its_memory() -> None:
    with MemoryBudgets().take(200 * MIB):
        assert len(bytearray(100 * MIB)) == 100 * MIB


def test_beyond_it_gets_none_and_what_follows_does() -> None:
    before, budgets = allowed(), MemoryBudgets()

    with budgets.take(50 * MIB), pytest.raises(MemoryError):
        bytearray(100 * MIB)

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
