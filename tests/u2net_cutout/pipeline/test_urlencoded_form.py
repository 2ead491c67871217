import tracemalloc
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from u2net_cutout.contract.errors import InvalidForm, TooManyFields
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.urlencoded_form import urlencoded_fields

LIMITS = Limits(max_file_bytes=10**6, max_pixels=10**6, max_response_bytes=10**6)


def test_what_urlencode_writes_is_read() -> None:
    sent = {"image_file_b64": "+/+/ AQI=", "bg_color": "", "фото": "é&="}

    assert dict(urlencoded_fields(urlencode(sent).encode(), LIMITS)) == sent
    assert dict(urlencoded_fields(bytearray(urlencode(sent).encode() + b"\r\n"), LIMITS)) == sent


@given(st.text("aé+/ ", min_size=1, max_size=20).map(lambda text: text * 9000))
@settings(max_examples=20)
def test_a_long_value_is_read_as_a_short_one(text: str) -> None:
    assert dict(urlencoded_fields(urlencode({"a": text}).encode(), LIMITS)) == {"a": text}


@given(st.text("%+0aAfFgé ", max_size=12))
def test_escapes_are_read_as_urllib_reads_them(text: str) -> None:
    body = b"a=" + text.encode() + b"&b=%2b"

    try:
        expected = dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        with pytest.raises(InvalidForm):
            list(urlencoded_fields(body, LIMITS))
    else:
        assert dict(urlencoded_fields(body, LIMITS)) == expected


def test_a_value_of_nothing_but_escapes_takes_no_more_memory_than_another() -> None:
    body = b"a=" + b"%41" * 1_000_000

    tracemalloc.start()
    try:
        list(urlencoded_fields(body, LIMITS))
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 10 * len(body)


def test_line_ends_and_nothing_else_are_left_out() -> None:
    assert dict(urlencoded_fields(b"a=rnx\r\n\n", LIMITS)) == {"a": "rnx"}


@pytest.mark.parametrize("body", [b"\xff=1", b"a=%\xff\xff", b"no field", b"a=1&&b=2"])
def test_what_is_not_urlencoded_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidForm):
        list(urlencoded_fields(body, LIMITS))


def test_an_urlencoded_form_has_as_many_fields_as_a_request_may_have() -> None:
    assert len(list(urlencoded_fields(b"&".join([b"f=1"] * 64), LIMITS))) == LIMITS.max_fields
    with pytest.raises(TooManyFields):
        list(urlencoded_fields(b"&".join([b"f=1"] * 65), LIMITS))
