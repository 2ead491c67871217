"""A status as text for people: tables, and what a handler says of itself."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH = 100
# A space at which no line ends.
UNBROKEN = "\N{NO-BREAK SPACE}"
# They head the description.
HEADER = ("model", "version")


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows of cells as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def described(description: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names and values of a handler's description, long values in several lines."""
    rows = dict(text_of(name, value) for name, value in description.items() if name not in HEADER)
    width = max(map(len, rows), default=0)
    for name, text in rows.items():
        lines = textwrap.wrap(text, WIDTH - width - 4, break_long_words=False) or [""]
        yield from (
            f"  {name if first else '':{width}}  {line.replace(UNBROKEN, ' ')}".rstrip()
            for line, first in zip(lines, [True] + [False] * len(lines), strict=False)
        )


def text_of(name: str, value: Any) -> tuple[str, str]:
    """Return a name and a value of a description in words; bytes are MiB or KiB."""
    if name.endswith("_bytes") and isinstance(value, int):
        size = f"{value >> 20} MiB" if value >= 1 << 20 else f"{value >> 10} KiB"
        return text_of(name.removesuffix("_bytes"), size)
    return name.replace("_", " "), _words(value)


def _words(value: Any) -> str:
    match value:
        case dict():
            pairs = (": ".join(text_of(name, inner)) for name, inner in value.items())
            return "; ".join(pair.replace(" ", UNBROKEN) for pair in pairs)
        case list():
            return ", ".join(map(_words, value))
        case int() if abs(value) > 99_999:
            return f"{value:,}"
    return str(value)
