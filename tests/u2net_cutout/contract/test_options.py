import re
from collections.abc import Mapping

import pytest

from scripts.documents.contract import options_table
from tests.conftest import ROOT
from u2net_cutout.contract.errors import (
    CutoutError,
    InvalidOption,
    UnknownParameter,
    UnsupportedParameter,
)
from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.option_values import Length, Margins, Position, Region
from u2net_cutout.contract.options import (
    OPTIONS,
    SIZES,
    Channels,
    CutoutOptions,
    Edges,
    option_text,
    read_options,
)

NONE = Length(0, "px")


def refusal_of(fields: Mapping[str, object]) -> CutoutError:
    with pytest.raises(CutoutError) as caught:
        read_options(fields)
    return caught.value


def test_nothing_asked_for_is_all_defaults() -> None:
    assert read_options({}) == CutoutOptions()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"format": "webp"}, CutoutOptions(format=OutputFormat.WEBP)),
        ({"quality": "80"}, CutoutOptions(quality=80)),
        ({"quality": 80}, CutoutOptions(quality=80)),
        ({"quality": "lossless"}, CutoutOptions(quality="lossless")),
        ({"channels": "alpha"}, CutoutOptions(channels=Channels.ALPHA)),
        ({"size": "4k"}, CutoutOptions(size=8_000_000)),
        ({"crop": True}, CutoutOptions(crop=True)),
        (
            {"crop": "true", "crop_margin": "0 5%"},
            CutoutOptions(
                crop=True, crop_margin=Margins(NONE, Length(5, "%"), NONE, Length(5, "%"))
            ),
        ),
        ({"scale": "50%"}, CutoutOptions(scale=0.5)),
        ({"position": "10% 20%"}, CutoutOptions(position=Position(0.1, 0.2))),
        (
            {"roi": "0 0 5px 5px"},
            CutoutOptions(roi=Region(NONE, NONE, Length(5, "px"), Length(5, "px"))),
        ),
        ({"bg_color": "red"}, CutoutOptions(bg_color=(255, 0, 0, 255))),
        ({"edges": "plain"}, CutoutOptions(edges=Edges.PLAIN)),
    ],
    ids=str,
)
def test_an_option_is_understood(fields: Mapping[str, object], expected: CutoutOptions) -> None:
    assert read_options(fields) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "png"),
        ("channels", "rgba"),
        ("size", "auto"),
        ("size", "full"),
        ("crop", "false"),
        ("scale", "original"),
        ("position", "original"),
        ("edges", "matte"),
        ("type", "auto"),
        ("type_level", "none"),
        ("add_shadow", "false"),
        ("add_shadow", "False"),
        ("semitransparency", "true"),
    ],
)
def test_a_default_by_its_name_asks_for_nothing(name: str, value: str) -> None:
    options = read_options({name: f" {value} ".encode(), "format": "png"})

    assert options == CutoutOptions(format=OutputFormat.PNG)


@pytest.mark.parametrize(
    ("size", "pixels"),
    [
        ("preview", 250_000),
        ("small", 250_000),
        ("regular", 250_000),
        ("medium", 1_500_000),
        ("hd", 4_000_000),
        ("4k", 8_000_000),
        ("50MP", 50_000_000),
    ],
)
def test_a_size_is_so_many_pixels(size: str, pixels: int) -> None:
    assert (read_options({"size": size}).size, SIZES[size]) == (pixels, pixels)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "gif"),
        ("format", "PNG"),
        ("quality", "0"),
        ("channels", "red"),
        ("size", "5"),
        ("crop", "yes"),
        ("crop_margin", "501px"),
        ("scale", "5%"),
        ("position", "left"),
        ("roi", "0 0 1px"),
        ("bg_color", "reddish"),
        ("edges", "soft"),
    ],
)
def test_a_value_that_an_option_can_not_take_is_named(name: str, value: str) -> None:
    refusal = refusal_of({name: value})

    assert (type(refusal), refusal.code) == (InvalidOption, f"invalid_{name}")
    assert repr(value) in refusal.detail


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("format", "rgba png webp jpg zip auto"),
        ("channels", "rgba alpha"),
        ("size", "auto full preview small regular medium hd 4k 50MP"),
        ("crop", "true false"),
        ("edges", "matte plain refined"),
    ],
)
def test_a_choice_is_taken_by_each_name_that_its_row_lists(name: str, values: str) -> None:
    (option,) = (option for option in OPTIONS if option.name == name)

    assert [
        name for row in option.values for name in re.findall("`([^`]+)`", row)
    ] == values.split()
    for value in values.split():
        read_options({name: value})


@pytest.mark.parametrize("name", [option.name for option in OPTIONS])
@pytest.mark.parametrize(
    "value",
    ["", b"", b"\xff", None, [], {}, "x" * 10_000, "\x00", "\ud800", float("nan")],
    ids=repr,
)
def test_no_option_takes_nonsense(name: str, value: object) -> None:
    refusal = refusal_of({name: value})

    assert refusal.code == f"invalid_{name}"
    assert len(refusal.detail) < 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("type", "person"),
        ("type", ""),
        ("type_level", "2"),
        ("add_shadow", "true"),
        ("shadow_type", "drop"),
        ("shadow_opacity", "50"),
        ("semitransparency", "false"),
    ],
)
def test_what_is_not_offered_is_unsupported(name: str, value: str) -> None:
    refusal = refusal_of({name: value})

    assert (type(refusal), refusal.code) == (UnsupportedParameter, "unsupported_parameter")


@pytest.mark.parametrize("name", ["", "Crop", "crop ", "bg_colour", "needs_subject", "body"])
def test_another_name_is_unknown(name: str) -> None:
    refusal = refusal_of({name: "true"})

    assert (type(refusal), refusal.code) == (UnknownParameter, "unknown_parameter")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"crop_margin": "5px"}, "invalid_crop_margin"),
        ({"crop_margin": "5px", "crop": "false"}, "invalid_crop_margin"),
        ({"channels": "alpha", "bg_color": "red"}, "invalid_channels"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    fields: Mapping[str, object], code: str
) -> None:
    assert refusal_of(fields).code == code


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        (CutoutOptions(), False),
        (CutoutOptions(size=250_000), False),
        (CutoutOptions(roi=Region(NONE, NONE, NONE, NONE)), False),
        (CutoutOptions(crop=True), True),
        (CutoutOptions(scale=0.5), True),
        (CutoutOptions(position=Position(0, 0)), True),
    ],
)
def test_a_subject_is_needed_to_be_moved(options: CutoutOptions, needed: bool) -> None:
    assert options.needs_subject is needed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (b"a", "a"),
        (bytearray("é", "utf-8"), "é"),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (0.5, "0.5"),
    ],
)
def test_a_value_is_text_whichever_way_it_came(value: object, text: str) -> None:
    assert option_text("size", value) == text


def test_a_scaled_subject_has_no_original_position() -> None:
    with pytest.raises(InvalidOption) as refused:
        read_options({"scale": "50%", "position": "original"})

    assert refused.value.code == "invalid_position"


def test_the_table_is_the_one_that_people_read() -> None:
    assert options_table() in (ROOT / "docs" / "options.md").read_text(encoding="utf-8")


def test_a_refusal_quotes_no_more_than_the_beginning_of_a_text() -> None:
    text, quoted = "x" * 50, repr("x" * 40)

    assert refusal_of({text: ""}).detail == f"there is no parameter {quoted}"
    assert refusal_of({"size": text}).detail.endswith(f"; got {quoted}")


def test_a_scaled_subject_may_have_a_position_of_its_own() -> None:
    options = read_options({"scale": "50%", "position": "center"})

    assert options == CutoutOptions(scale=0.5, position=Position(0.5, 0.5))


def test_equal_options_are_one_key() -> None:
    assert len({CutoutOptions(), CutoutOptions(), CutoutOptions(crop=True)}) == 2
