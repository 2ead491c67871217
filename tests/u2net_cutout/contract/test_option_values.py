from collections.abc import Callable

import pytest

from u2net_cutout.contract.option_values import (
    Length,
    Margins,
    Position,
    Region,
    parse_boolean,
    parse_choice,
    parse_colour,
    parse_length,
    parse_margins,
    parse_position,
    parse_quality,
    parse_region,
    parse_scale,
)

PARSERS = (
    parse_boolean,
    parse_choice({"a": 1}),
    parse_colour,
    parse_length,
    parse_margins,
    parse_position,
    parse_quality,
    parse_region,
    parse_scale,
)


def px(value: float) -> Length:
    return Length(value, "px")


def percent(value: float) -> Length:
    return Length(value, "%")


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "nonsense",
        "-1px",
        "1e3px",
        "nan%",
        "5em",
        "1000000px %",
        "px",
        "%",
        "\x00",
        "#",
        "²%",
    ],
)
def test_nonsense_is_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("true", True), ("True", True), ("1", True), ("false", False), ("FALSE", False), ("0", False)],
)
def test_a_boolean_is_read(text: str, expected: bool) -> None:
    assert parse_boolean(text) is expected


def test_a_choice_is_one_of_its_names() -> None:
    assert parse_choice({"a": 1, "b": 2})("b") == 2


def test_the_refusal_of_a_choice_lists_all() -> None:
    with pytest.raises(ValueError, match="one of a, b"):
        parse_choice({"a": 1, "b": 2})("c")


@pytest.mark.parametrize(
    ("text", "expected"), [("1", 1), ("90", 90), ("100", 100), ("lossless", "lossless")]
)
def test_a_quality_is_read(text: str, expected: int | str) -> None:
    assert parse_quality(text) == expected


@pytest.mark.parametrize("text", ["0", "101", "9.5", "90%", "1000", "Lossless"])
def test_a_quality_out_of_its_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        parse_quality(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", px(0)), ("30px", px(30)), ("12.5%", percent(12.5)), ("0px", px(0)), ("0%", percent(0))],
)
def test_a_length_is_read(text: str, expected: Length) -> None:
    assert parse_length(text) == expected


@pytest.mark.parametrize(("length", "expected"), [(px(30), 30), (percent(30), 60), (px(0), 0)])
def test_a_length_is_of_something(length: Length, expected: float) -> None:
    assert length.of(200) == expected


@pytest.mark.parametrize(
    ("text", "top", "right", "bottom", "left"),
    [
        ("5px", px(5), px(5), px(5), px(5)),
        ("5px 10%", px(5), percent(10), px(5), percent(10)),
        ("1px 2px 3% 4%", px(1), px(2), percent(3), percent(4)),
        (" 500px   50% ", px(500), percent(50), px(500), percent(50)),
    ],
)
def test_margins_are_read_as_in_css(
    text: str, top: Length, right: Length, bottom: Length, left: Length
) -> None:
    assert parse_margins(text) == Margins(top, right, bottom, left)


@pytest.mark.parametrize("text", ["501px", "50.1%", "0 0 0 51%", "1px 2px 3px", "1px " * 5, "5"])
def test_margins_that_are_too_many_or_too_wide_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_margins(text)


def test_a_region_is_read() -> None:
    assert parse_region("0 10% 30px 100%") == Region(px(0), percent(10), px(30), percent(100))


@pytest.mark.parametrize("text", ["0 0 1px", "0 0 1px 1px 1px", "0,0,1px,1px"])
def test_a_region_has_two_corners(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_region(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("original", None), ("10%", 0.1), ("62.5%", 0.625), ("100%", 1)]
)
def test_a_scale_is_read(text: str, expected: float | None) -> None:
    assert parse_scale(text) == expected


@pytest.mark.parametrize("text", ["0", "9.9%", "100.1%", "50", "50px", "0.5"])
def test_a_scale_out_of_its_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_scale(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("original", None),
        ("center", Position(0.5, 0.5)),
        ("25%", Position(0.25, 0.25)),
        ("0 100%", Position(0, 1)),
        ("0% 75%", Position(0, 0.75)),
    ],
)
def test_a_position_is_read(text: str, expected: Position | None) -> None:
    assert parse_position(text) == expected


@pytest.mark.parametrize("text", ["101%", "5px 5px", "1% 2% 3%", "left", "50", "center center"])
def test_a_position_out_of_its_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_position(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f00", (255, 0, 0, 255)),
        ("#F00", (255, 0, 0, 255)),
        ("f008", (255, 0, 0, 136)),
        ("81d4fa", (129, 212, 250, 255)),
        ("81d4fa77", (129, 212, 250, 119)),
        ("#81D4FA00", (129, 212, 250, 0)),
        ("red", (255, 0, 0, 255)),
        ("RebeccaPurple", (102, 51, 153, 255)),
        ("fade", (255, 170, 221, 238)),
    ],
)
def test_a_colour_is_read(text: str, expected: tuple[int, int, int, int]) -> None:
    assert parse_colour(text) == expected


@pytest.mark.parametrize(
    "text", ["ff", "fffff", "#ggg", "rgb(1,2,3)", "hsl(0,0%,0%)", "##fff", "reddish", "a" * 200]
)
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="CSS colour name"):
        parse_colour(text)


def test_equal_values_are_one_key() -> None:
    sides = [px(1), px(1), percent(1), px(2)]

    assert len({*sides}) == 3
    assert len({Margins(*sides), Margins(*sides), Region(*sides), Position(0, 1)}) == 3
