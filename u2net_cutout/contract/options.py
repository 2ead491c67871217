"""What a client may ask for: every option once, with its values, its meaning and its default.

The names and values are those of the remove.bg API 1.0; `edges` is ours. This table feeds the
validation of requests, docs/options.md and the OpenAPI description. What arrives is either
honoured or refused; nothing is ignored.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from u2net_cutout.contract.errors import InvalidOption, UnknownParameter, UnsupportedParameter
from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.option_values import (
    Colour,
    Margins,
    Position,
    Region,
    parse_boolean,
    parse_choice,
    parse_colour,
    parse_margins,
    parse_position,
    parse_quality,
    parse_region,
    parse_scale,
)


class Channels(Enum):
    """The part of the cutout that a response holds."""

    RGBA = "rgba"
    ALPHA = "alpha"


class Edges(Enum):
    """What is done about the subject's edge."""

    MATTE = "matte"
    PLAIN = "plain"
    REFINED = "refined"


# The most pixels of a response; None: as many as the picture has.
SIZES: Mapping[str, int | None] = MappingProxyType(
    {
        "auto": None,
        "full": None,
        "preview": 250_000,
        "small": 250_000,
        "regular": 250_000,
        "medium": 1_500_000,
        "hd": 4_000_000,
        "4k": 8_000_000,
        "50MP": 50_000_000,
    }
)


@dataclass(frozen=True)
class CutoutOptions:
    """What one client asked for, understood; the defaults are those of the contract."""

    format: OutputFormat | None = None
    """None: as ``Accept`` says."""
    quality: int | str | None = None
    channels: Channels = Channels.RGBA
    size: int | None = None
    crop: bool = False
    crop_margin: Margins | None = None
    scale: float | None = None
    position: Position | None = None
    roi: Region | None = None
    bg_color: Colour | None = None
    edges: Edges = Edges.MATTE

    @property
    def needs_subject(self) -> bool:
        """Whether there can be no response without a subject."""
        return self.crop or self.scale is not None or self.position is not None


@dataclass(frozen=True)
class Option:
    """One option of the table: how people read it, and how its text is understood."""

    name: str
    meaning: str
    values: Mapping[str, str]
    """Each value, or form of it, and what it does."""
    default: str
    parse: Callable[[str], object]


def _choices(kind: type[Enum]) -> Callable[[str], object]:
    return parse_choice({choice.value: choice for choice in kind})


# Names of options and values are in backticks.
OPTIONS = (
    Option(
        "format",
        "file format of the cutout",
        {
            "`rgba`": "raw bytes, 4 a pixel, row by row",
            "`png`": "PNG",
            "`webp`": "WebP",
            "`jpg`": "JPEG, on `bg_color`, a background picture or white",
            "`zip`": "`color.jpg` and `alpha.png`",
            "`auto`": "PNG if anything is transparent, else JPEG",
        },
        "as `Accept` asks, else `rgba`; over gRPC and inside JSON `png`",
        _choices(OutputFormat),
    ),
    Option(
        "quality",
        "compression of WebP and JPEG, also of the JPEG in a zip or from `auto`",
        {"`1` to `100`": "higher looks better and takes more bytes", "`lossless`": "WebP only"},
        "JPEG `90`, WebP `lossless`",
        parse_quality,
    ),
    Option(
        "channels",
        "part of the cutout that is returned",
        {"`rgba`": "colours and alpha", "`alpha`": "the matte alone; raw, 1 byte a pixel"},
        "`rgba`",
        _choices(Channels),
    ),
    Option(
        "size",
        "maximum size of the cutout; a picture is never enlarged",
        {
            "`auto`, `full`": "size of the picture",
            "`preview`, `small`, `regular`": "0.25 megapixels",
            "`medium`": "1.5 megapixels",
            "`hd`": "4 megapixels",
            "`4k`": "8 megapixels",
            "`50MP`": "50 megapixels",
        },
        "`auto`",
        parse_choice(SIZES),
    ),
    Option(
        "crop",
        "crops the cutout to the subject's bounding box",
        {"`true`": "crop", "`false`": "keep the whole picture"},
        "`false`",
        parse_boolean,
    ),
    Option(
        "crop_margin",
        "margin around the subject; needs `crop`",
        {
            "`30px`": "pixels, at most 500",
            "`10%`": "percent of the subject's box, at most 50",
            "2 lengths": "top and bottom, then left and right",
            "4 lengths": "top, right, bottom, left",
        },
        "`0`",
        parse_margins,
    ),
    Option(
        "scale",
        "size of the subject on the canvas; centres it unless `position` is set",
        {
            "`original`": "unchanged",
            "`10%` to `100%`": "share of the canvas, in the direction that it fills more",
        },
        "`original`",
        parse_scale,
    ),
    Option(
        "position",
        "place of the subject on the canvas",
        {
            "`original`": "unchanged; refused with `scale`",
            "`center`": "the middle",
            "`x%`": "the same in both directions",
            "`x% y%`": "`0%` is the left or top edge, `100%` the right or bottom one",
        },
        "`original`",
        parse_position,
    ),
    Option(
        "roi",
        "region of interest: everything outside becomes background",
        {"`x1 y1 x2 y2`": "two opposite corners, each length in `px` or `%`"},
        "`0% 0% 100% 100%`",
        parse_region,
    ),
    Option(
        "bg_color",
        "background colour",
        {
            "`rgb`, `rgba`, `rrggbb`, `rrggbbaa`": "hexadecimal digits, with or without `#`",
            "`white`": "or another CSS colour name",
        },
        "none; with `format=jpg` white",
        parse_colour,
    ),
    Option(
        "edges",
        "colours and detail of soft edges",
        {
            "`matte`": "removes the background's colour from soft edges",
            "`plain`": "keeps the picture's colours",
            "`refined`": "sharpens the matte to the picture's resolution, then as `matte`",
        },
        "`matte`",
        _choices(Edges),
    ),
)

# Options of the remove.bg API that are not offered, with the values that ask for nothing.
UNSUPPORTED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "type": frozenset({"auto"}),
        "type_level": frozenset({"none"}),
        "add_shadow": frozenset({"false"}),
        "shadow_type": frozenset(),
        "shadow_opacity": frozenset(),
        "semitransparency": frozenset({"true"}),
    }
)

_BY_NAME = {option.name: option for option in OPTIONS}
OPTION_NAMES = frozenset({*_BY_NAME, *UNSUPPORTED})


def read_options(fields: Mapping[str, object]) -> CutoutOptions:
    """Understand the fields of a request that are not pictures.

    Raises:
        UnknownParameter, UnsupportedParameter: a name that is not in the table.
        InvalidOption: a value that its option can't take, or that contradicts another's.
    """
    values: dict[str, Any] = {}
    for name in sorted(fields):
        if name not in OPTION_NAMES:
            raise UnknownParameter(f"there is no parameter {name[:40]!r}")
        text = option_text(name, fields[name]).strip()
        if name in UNSUPPORTED:
            if text.lower() not in UNSUPPORTED[name]:
                raise UnsupportedParameter(f"{name} is not offered")
            continue
        try:
            values[name] = _BY_NAME[name].parse(text)
        except ValueError as error:
            raise InvalidOption(name, f"{name} {error}; got {text[:40]!r}") from error
    # Each value comes from its option's parser; the table vouches for the types.
    options = CutoutOptions(**values)
    _refuse_contradictions(options, named=values.keys())
    return options


def option_text(name: str, value: object) -> str:
    """Return an option's value as text, whichever channel it came through.

    Form fields and gRPC values are bytes; JSON has booleans and numbers of its own.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, bytes | bytearray):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise InvalidOption(name, f"{name} is not UTF-8 text") from error
    raise InvalidOption(name, f"{name} must be text")


def _refuse_contradictions(options: CutoutOptions, named: Collection[str]) -> None:
    if options.crop_margin is not None and not options.crop:
        raise InvalidOption("crop_margin", "crop_margin needs crop=true")
    if options.scale is not None and "position" in named and options.position is None:
        raise InvalidOption("position", "a scaled subject has no original position: name another")
    if options.channels is Channels.ALPHA and options.bg_color is not None:
        raise InvalidOption("channels", "channels=alpha has no background: leave bg_color out")
