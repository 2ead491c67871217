import base64
import tracemalloc

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from u2net_cutout.contract.errors import InvalidBase64, MissingSource
from u2net_cutout.pipeline.base64_text import decode_base64

# Has each sign that a spelling may change: + / =
DATA = bytes.fromhex("fbffbf fbefbe 0102")
TEXT = "+/+/++++AQI="


def test_the_text_of_these_tests_is_pythons() -> None:
    assert base64.b64encode(DATA).decode() == TEXT


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "-_-_----AQI=",
        TEXT.rstrip("="),
        "-_-_----AQI",
        f" {TEXT}",
        f"  {TEXT.rstrip('=')}",
        f"\t{TEXT}\r\n",
        f"\ufeff{TEXT}",
        f"\ufeff \n{TEXT}",
        f'"{TEXT}"',
        f"'{TEXT}'",
        f"'{TEXT.rstrip('=')}'",
        f'"data:image/png;base64,{TEXT}"',
        f"data:image/png;base64,{TEXT}",
        f"DATA:image/png;BASE64,{TEXT}",
        f" data:image/png;base64, {TEXT}",
        f"data:image/png; base64,{TEXT}",
        f"data:image/png;name=a.png;base64,{TEXT}",
        f"data:image/png;charset=utf-8;base64,{TEXT}",
        f"data:;base64,{TEXT}",
        f"data:application/octet-stream;base64,{TEXT}",
        "data:image/png;base64,%2B/%2b%2F%2B%2B%2B%2BAQI%3D",
        "%2B%2F%2B%2F%2B%2B%2B%2BAQI%3d",
        "+/+/\r\n++++\r\nAQI=\r\n",
        "+/+/+\n+++AQI=",
        "+/+/\r++++\rAQI=",
        "+/+/%0D%0A++++AQI=",
        "+/+/\t++++AQI=",
        "+/+/\n  ++++\n  AQI=\n",
        "+/+/\r  ++++\r  AQI=\r",
        "+/+/\r\n  ++++\r\n  AQI=\r\n",
        "+/+/ ++++ AQI=",
    ],
)
def test_every_unambiguous_spelling_is_decoded(text: str) -> None:
    assert decode_base64(text) == DATA


@pytest.mark.parametrize("text", ["a+ /AAAA", "a /+AAAA", "aa  AAAA", "A+++AA A", "AAA "])
@pytest.mark.parametrize("head", ["", "data:image/png;base64,"])
def test_a_space_in_a_line_is_a_plus_that_a_form_lost(text: str, head: str) -> None:
    if text.endswith(" "):
        # Or white space after a text without padding.
        with pytest.raises(InvalidBase64, match="spaces"):
            decode_base64(head + text)
    else:
        assert decode_base64(head + text) == base64.b64decode(text.replace(" ", "+"))


@given(st.binary(min_size=1, max_size=300))
def test_what_a_form_makes_of_base64_is_decoded_or_refused_and_never_something_else(
    data: bytes,
) -> None:
    text = base64.b64encode(data).decode().replace("+", " ")
    # No format of pictures begins or ends so.
    assume(not text.startswith(" " * 4) and not text.endswith(" " * 4))

    try:
        assert decode_base64(text) == data
    except InvalidBase64:
        assert text != text.strip()


@given(st.binary(min_size=1, max_size=300), st.sampled_from([4, 16, 64, 76]))
def test_lines_that_were_joined_by_spaces_are_decoded_or_refused_and_never_something_else(
    data: bytes, width: int
) -> None:
    text = base64.b64encode(data).decode()
    joined = " ".join(text[at : at + width] for at in range(0, len(text), width))

    assert decode_base64(joined) == data


@pytest.mark.parametrize(
    "text",
    [
        "not base64!",
        f"{TEXT[:4]}!{TEXT[4:]}",
        "é",
        "٣٣٣٣",
        "====",
        "A",
        "AAAAA",
        "AAAA=AAAA",
        "AQI====",
        TEXT + TEXT,
        "%zz++",
        "data:image/jpeg,abc",
        "data:image/jpeg;base64",
        "data:image/svg+xml,%3Csvg/%3E",
        "data:image/png;base64url,AAAA",
        "data:image/png;a=1,AAAA",
        "'",
        '"',
        "'AAAA",
        "'AAAA\"",
        "\"AAAA'",
        "AAAA===",
        # Both a lost + and the end of a line: no length tells which.
        "AA AA",
        "AA AAA",
        "AAAA BB B A",
        "AAAA AAAAAAAA",
        "AAAA\n AAA",
        "AAA\n A AA",
        "AAAA \nAAAA",
        "AAAA\n AAAA\nAAAA",
    ],
)
def test_what_is_no_base64_or_ambiguous_is_refused(text: str) -> None:
    with pytest.raises(InvalidBase64):
        decode_base64(text)


@pytest.mark.parametrize("text", ["A", "AAAAA", "AAAAA=="])
def test_a_missing_character_is_told(text: str) -> None:
    with pytest.raises(InvalidBase64, match="missing"):
        decode_base64(text)


@pytest.mark.parametrize("text", ["", " \r\n", "=", "data:;base64,", '""', "\ufeff"])
def test_text_that_holds_nothing_is_no_picture(text: str) -> None:
    with pytest.raises(MissingSource):
        decode_base64(text)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_any_length_is_decoded(count: int) -> None:
    assert decode_base64(base64.b64encode(b"x" * count).decode()) == b"x" * count


@pytest.mark.parametrize("text", ["QUFB " * 100_000, "QUFB\n" * 100_000, "%2B%2b%2F" * 60_000])
def test_text_in_pieces_takes_no_more_memory_than_in_one(text: str) -> None:
    tracemalloc.start()
    try:
        decode_base64(text)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 4 * len(text)


def test_no_letter_is_a_mark_a_quote_or_a_line_end() -> None:
    letters = "".join(map(chr, [*range(ord("a"), ord("z") + 1), *range(ord("A"), ord("Z") + 1)]))
    for letter in letters:
        assert decode_base64(letter + letters * 7 + "++" + letter) == base64.b64decode(
            letter + letters * 7 + "++" + letter
        )
