import asyncio
import itertools
import math

import pytest

from scripts.measure.soak.open_loop import SETTLE_S, Answer, Phase, circle, offer


def test_requests_are_offered_whether_or_not_they_are_answered() -> None:
    waiting = 0

    async def never_in_time() -> int:
        nonlocal waiting
        waiting += 1
        await asyncio.sleep(1)
        return 200

    phase = asyncio.run(offer("x", never_in_time, 200, 0.5))

    # Poisson: 100 with a deviation of 10, and always the same.
    assert 50 < phase.offered < 150
    assert waiting == phase.offered == len(phase.answers)


def test_clients_ask_again_when_they_are_answered_and_not_before() -> None:
    open_now = most = 0

    async def ask() -> int:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.01)
        open_now -= 1
        return 503

    phase = asyncio.run(circle("x", ask, 3, 0.3))

    assert most == 3
    assert phase.statuses() == {503: phase.offered}


def test_goodput_counts_good_answers_after_the_start_and_before_the_end() -> None:
    times = (0.5, SETTLE_S, 3.0, 3.9, 4.1)
    statuses = itertools.cycle((200, 200, 503, 200, 200))
    answers = [Answer(at, 0.5, status) for at, status in zip(times, statuses, strict=False)]

    phase = Phase("x", 4.0, 5, answers)

    assert phase.goodput == pytest.approx(2 / (4.0 - SETTLE_S))


def test_percentiles_are_of_one_status() -> None:
    answers = [Answer(3, seconds, 200) for seconds in (3, 1, 2)] + [Answer(3, 9, 503)]

    phase = Phase("x", 4, 4, answers)

    assert [phase.percentile(200, share) for share in (0.5, 0.99)] == [2, 3]
    assert phase.percentile(503, 0.5) == 9
    assert math.isnan(phase.percentile(500, 0.5))
