"""The values that options take, read from text: lengths, margins, regions, colours, choices.

Knows no option and no picture. Every parser raises ValueError with words for the client.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TypeVar

from PIL import ImageColor

from u2net_cutout.contract.formats import LOSSLESS

T = TypeVar("T")

ORIGINAL = "original"
MAX_MARGIN_PX = 500.0
MAX_MARGIN_PERCENT = 50.0

_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)(px|%)")
_HEX_COLOUR = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})")

Colour = tuple[int, int, int, int]


@dataclass(frozen=True)
class Length:
    """So many pixels, or so many percent of something."""

    value: float
    unit: str

    def of(self, whole: float) -> float:
        """Return the length in pixels, where 100 % is `whole`."""
        return self.value if self.unit == "px" else self.value / 100 * whole


@dataclass(frozen=True)
class Margins:
    """The distances that are kept around a subject."""

    top: Length
    right: Length
    bottom: Length
    left: Length


@dataclass(frozen=True)
class Region:
    """A rectangle, by two of its corners."""

    left: Length
    top: Length
    right: Length
    bottom: Length


@dataclass(frozen=True)
class Position:
    """Where a subject lies: at 0 it touches the left or top edge, at 1 the right or bottom one."""

    across: float
    down: float


def parse_choice(choices: Mapping[str, T]) -> Callable[[str], T]:
    """Return a parser that takes one of the names of `choices`."""

    def parse(text: str) -> T:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return choices[text]

    return parse


def parse_boolean(text: str) -> bool:
    """Read `true` or `false`; also `1` and `0`."""
    return parse_choice({"true": True, "false": False, "1": True, "0": False})(text.lower())


def parse_quality(text: str) -> int | str:
    """Read a whole number from 1 to 100, or `lossless`."""
    if text == LOSSLESS:
        return LOSSLESS
    if not re.fullmatch(r"\d{1,3}", text) or not 1 <= int(text) <= 100:
        raise ValueError(f"must be a whole number from 1 to 100, or {LOSSLESS}")
    return int(text)


def parse_length(text: str) -> Length:
    """Read pixels or percent: `30px`, `12.5%`; `0` needs no unit."""
    if text == "0":
        return Length(0, "px")
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise ValueError("must be lengths such as 30px or 10%")
    return Length(float(match[1]), match[2])


def parse_margins(text: str) -> Margins:
    """Read one length for all sides, two (top and bottom, left and right) or four (clockwise)."""
    lengths = [parse_length(word) for word in text.split()]
    if len(lengths) not in (1, 2, 4):
        raise ValueError("must be 1, 2 or 4 lengths")
    for length in lengths:
        if length.value > (MAX_MARGIN_PX if length.unit == "px" else MAX_MARGIN_PERCENT):
            raise ValueError(f"must not exceed {MAX_MARGIN_PX:.0f}px or {MAX_MARGIN_PERCENT:.0f}%")
    return Margins(*islice(cycle(lengths), 4))


def parse_region(text: str) -> Region:
    """Read `x1 y1 x2 y2`, each in pixels or percent."""
    lengths = [parse_length(word) for word in text.split()]
    if len(lengths) != 4:
        raise ValueError("must be 4 lengths: x1 y1 x2 y2")
    return Region(*lengths)


def parse_scale(text: str) -> float | None:
    """Read a share of the canvas from `10%` to `100%`; `original` is None."""
    if text == ORIGINAL:
        return None
    share = _percent(text)
    if share < 0.1:
        raise ValueError("must be original, or from 10% to 100%")
    return share


def parse_position(text: str) -> Position | None:
    """Read `center`, one percentage for both directions or two; `original` is None."""
    if text == ORIGINAL:
        return None
    if text == "center":
        return Position(0.5, 0.5)
    shares = [_percent(word) for word in text.split()]
    if len(shares) not in (1, 2):
        raise ValueError("must be original, center, or one or two percentages")
    return Position(shares[0], shares[-1])


def parse_colour(text: str) -> Colour:
    """Read hexadecimal RGB or RGBA of 3, 4, 6 or 8 digits, or the name of a CSS colour."""
    match = _HEX_COLOUR.fullmatch(text.lower())
    try:
        if match is None and not text.isalpha():
            raise ValueError
        colour = ImageColor.getrgb(f"#{match[1]}" if match else text)
    except ValueError as error:
        raise ValueError("must be 3, 4, 6 or 8 hexadecimal digits or a CSS colour name") from error
    red, green, blue, alpha = (*colour, 255)[:4]
    return red, green, blue, alpha


def _percent(text: str) -> float:
    length = parse_length(text)
    if (length.unit != "%" and length.value) or length.value > 100:
        raise ValueError("must be percentages from 0% to 100%")
    return length.value / 100
