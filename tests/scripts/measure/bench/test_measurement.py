import fcntl
from pathlib import Path

import pytest

from scripts.measure.bench.measurement import requests_for
from scripts.measure.kit.lock import alone


@pytest.mark.parametrize(
    ("seconds", "rate", "clients", "expected"),
    [(10, 1.13, 4, 12), (10, 4.5, 4, 48), (10, 0.02, 1, 1), (10, 0.1, 16, 16), (6, 2, 1, 12)],
)
def test_a_turn_lasts_as_long_as_it_should(
    seconds: float, rate: float, clients: int, expected: int
) -> None:
    assert requests_for(seconds, rate, clients) == expected


def test_a_lock_keeps_others_out_while_it_is_held(tmp_path: Path) -> None:
    lock = tmp_path / "lock"

    with alone(lock), lock.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
