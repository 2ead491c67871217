from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from u2net_cutout.contract.errors import InvalidForm
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.form_loss import check_arrived
from u2net_cutout.pipeline.media_type import MediaType

LIMITS = Limits(max_file_bytes=10**6, max_pixels=10**6, max_response_bytes=10**6)
FORM = MediaType.parse("Multipart/Form-Data; boundary=b")
URLENCODED = MediaType.parse("application/x-www-form-urlencoded")


def refused(fields: Mapping[str, object], media_type: MediaType, length: object) -> bool:
    try:
        check_arrived(fields, media_type, str(length), LIMITS)
    except InvalidForm:
        return True
    return False


@pytest.mark.parametrize("value", [b"x" * 5000, "x" * 5000, b""])
def test_a_form_that_is_longer_than_its_fields_has_lost_some(value: object) -> None:
    fields = {"image": value, "crop": b"1"}
    most = len("imagecrop1") + len(value) + 2 * LIMITS.max_field_bytes + 128  # type: ignore[arg-type]

    assert not refused(fields, FORM, most)
    assert refused(fields, FORM, most + 1)


def test_a_form_of_which_nothing_arrived_was_lost_however_small_it_was() -> None:
    empty = b"--" + b"x" * 70 + b"--\r\n"

    assert not refused({}, FORM, len(empty))
    assert refused({}, FORM, 200)


@pytest.mark.parametrize("sent", [{}, {"a": "1"}, {"image_file_b64": "+/=" * 99, "b": "é &"}])
def test_an_urlencoded_form_that_is_longer_than_its_fields_has_lost_some(
    sent: dict[str, str],
) -> None:
    body = urlencode(sent)
    lost = "\r\n" + "QUFB" * 1000

    assert not refused(sent, URLENCODED, len(body))
    assert refused(sent, URLENCODED, len(body + lost))


def test_json_in_an_urlencoded_form_is_told() -> None:
    with pytest.raises(InvalidForm, match="application/json"):
        check_arrived({' {"image_file_b64": "QUF': b'="}'}, URLENCODED, "", LIMITS)


@pytest.mark.parametrize("length", ["", "x", "-1", "²"])
def test_of_an_unknown_length_nothing_is_known(length: str) -> None:
    assert not refused({}, FORM, length)


@pytest.mark.parametrize("declared", ["", "image/png", "application/json", "text/plain", "x/y"])
def test_what_is_no_form_has_no_fields_to_lose(declared: str) -> None:
    assert not refused({}, MediaType.parse(declared), 10**6)


def test_a_value_that_was_parsed_has_no_length() -> None:
    assert not refused({"data": {"a": 1}}, FORM, 10**6)


@pytest.mark.parametrize("text", ["plain", "a b", "100 %", "é", "+/=" * 9])
def test_the_longest_spelling_of_an_urlencoded_form_is_its_limit(text: str) -> None:
    never = set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789*-._")
    most = sum(1 if byte in never else 3 for byte in text.encode()) + len("name=") + 1

    assert not refused({"name": text}, URLENCODED, most)
    assert refused({"name": text}, URLENCODED, most + 1)


@pytest.mark.parametrize("digits", [20, 21, 10_000])
def test_of_a_gigantic_length_the_beginning_is_told(digits: int) -> None:
    with pytest.raises(InvalidForm, match=f"not all {'9' * 20} bytes"):
        check_arrived({}, FORM, "9" * digits, LIMITS)


def test_a_field_that_is_no_text_has_a_length_all_the_same() -> None:
    assert not refused({"\udcff": "\ud800"}, FORM, 128 + LIMITS.max_field_bytes + 2)
    assert refused({"\udcff": "\ud800"}, FORM, 128 + LIMITS.max_field_bytes + 3)
