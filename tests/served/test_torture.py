"""The input battery in its short form; `make torture` is the full one."""

from tests.hostile.server import torture
from tests.served.conftest import Served

REQUESTS = 300
SEED = 0


def test_no_input_costs_a_worker_or_an_answer(served: Served) -> None:
    summary, losses = torture(served.config, "u2netp", range(REQUESTS), SEED, REQUESTS)

    assert not summary.faults, summary.report()
    assert not losses
    assert summary.results.total() == REQUESTS
