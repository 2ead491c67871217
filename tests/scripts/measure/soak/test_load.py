import itertools
import math
import threading
import time

import pytest

from scripts.measure.soak.load import SETTLE_S, Phase, Response, closed_loop, open_loop


def test_an_open_loop_sends_whether_or_not_there_are_responses() -> None:
    over = threading.Event()
    threading.Timer(1, over.set).start()

    def respond_after_the_load() -> int:
        over.wait()
        return 200

    phase = open_loop("x", respond_after_the_load, 200, 0.5)

    # Poisson: 100 with a deviation of 10, and always the same.
    assert 50 < len(phase.responses) < 150


def test_a_client_of_a_closed_loop_sends_again_when_it_has_a_response_and_not_before() -> None:
    lock, in_flight, most = threading.Lock(), 0, 0
    all_send, all_have_sent = threading.Barrier(3, timeout=30), threading.Event()

    def send() -> int:
        nonlocal in_flight, most
        with lock:
            in_flight += 1
            most = max(most, in_flight)
        if not all_have_sent.is_set():
            all_send.wait()
            all_have_sent.set()
        time.sleep(0.01)
        with lock:
            in_flight -= 1
        return 503

    phase = closed_loop("x", send, 3, 2)

    assert most == 3
    assert phase.statuses() == {503: len(phase.responses)}


def test_goodput_counts_good_responses_after_the_start_and_before_the_end() -> None:
    times = (0.5, SETTLE_S, 3.0, 3.9, 4.1)
    statuses = itertools.cycle((200, 200, 503, 200, 200))
    responses = [Response(at, 0.5, status) for at, status in zip(times, statuses, strict=False)]

    phase = Phase("x", 4.0, responses)

    assert phase.goodput == pytest.approx(2 / (4.0 - SETTLE_S))


def test_percentiles_are_of_one_status() -> None:
    responses = [Response(3, seconds, 200) for seconds in (3, 1, 2)] + [Response(3, 9, 503)]

    phase = Phase("x", 4, responses)

    assert [phase.percentile(200, share) for share in (0.5, 0.99)] == [2, 3]
    assert phase.percentile(503, 0.5) == 9
    assert math.isnan(phase.percentile(500, 0.5))
