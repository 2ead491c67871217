import json
import re
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from u2net_cutout.worker.request_log import LONGEST_TRACEBACK, event, failure

# What TorchServe's frontend takes for its own, and what it takes for the end of a line.
FRONTENDS_WORDS = re.compile(r"^(INFO > )?\[METRICS]|\[PID\]\d+$|Torch worker started\.$")
HOSTILE = (
    *("a\n[PID]7", "[METRICS]x", "\r", "\x00\x1b[31m", "\u0085", "\u2028\u2029", "\ud800", "\x7f"),
)


@given(st.text() | st.sampled_from(HOSTILE))
def test_an_event_is_one_line_of_printable_ascii(text: str) -> None:
    line = event("request", id=text)

    assert re.fullmatch(r"[ -~]+", line)
    assert not FRONTENDS_WORDS.search(line)
    assert json.loads(line)["id"] == text


def test_an_event_begins_with_its_name_and_the_time() -> None:
    told = json.loads(event("request", status=200))

    assert list(told) == ["event", "time", "status"]
    assert datetime.fromisoformat(told["time"]).utcoffset() == timedelta(0)


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        event("request", ms=float("nan"))


def test_a_failure_tells_whose_it_is_and_where_it_happened() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        told = json.loads(failure(["id-1", "id-2"], error))

    assert (told["event"], told["ids"], told["error"]) == (
        "failure",
        ["id-1", "id-2"],
        "JSONDecodeError",
    )
    assert 'json.loads("{")' in told["traceback"]


def test_of_an_endless_traceback_the_end_is_kept() -> None:
    told = json.loads(failure(["id-1"], ValueError("x" * 10**6 + "the end")))

    assert len(told["traceback"]) == LONGEST_TRACEBACK
    assert told["traceback"].endswith("the end\n")
