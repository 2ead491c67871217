"""Requests with random options, JSON and headers; their picture is sound."""

import base64
import json
from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any

from tests.hostile.rows.malformed import FIELDS, OPTION_NAMES, Row
from u2net_cutout.contract.formats import JSON_TYPE
from u2net_cutout.pipeline.body import BODY_FIELD

ACCEPTED = ("*/*", "image/png", "image/*", "image/webp", JSON_TYPE, "application/zip", "text/html")
QUALITIES = ("", ";q=0", ";q=0.5", ";q=NaN", ";q=-1", ";;")
CONTENT_TYPES = (JSON_TYPE, "text/plain; charset=utf-7", "image/svg+xml")
GOOD: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "format": ("rgba", "png", "webp", "jpg", "zip", "auto"),
        "quality": ("1", "80", "100", "lossless"),
        "channels": ("rgba", "alpha"),
        "size": ("auto", "preview", "4k", "50MP"),
        "crop": ("true", "false", "1", "0"),
        "crop_margin": ("0", "10px", "5% 10px", "1px 2px 3% 4%"),
        "scale": ("original", "10%", "55.5%"),
        "position": ("original", "center", "10%", "0% 100%"),
        "roi": ("0% 0% 100% 100%", "1px 1px 9px 9px", "9px 9px 1px 1px"),
        "bg_color": ("red", "#abc", "01234567", "transparent"),
        "edges": ("matte", "plain", "refined"),
    }
)
# Pieces of values that break parsers.
PIECES = (
    *("", "0", "-1", "1e999", "NaN", "٣", "px", "%", "#", "0x10", "1_000", "true", "%00", "'"),
    *("../../etc/passwd", "{{7*7}}", "é", "🙂", "rgb(1,2,3)", "hsl(0,0%,0%)"),
    *("\0", "\ud800", "\r\nX-Evil: 1", "\u202e", "9" * 400, " " * 300, "a" * 5000),
)


def random_row(rng: Random, sound: bytes) -> Row:
    """Return a row with random options, headers or JSON."""
    return rng.choice((_random_form, _random_json, _random_headers))(rng, sound)


def _random_value(rng: Random, name: str) -> str:
    if name in GOOD and rng.random() < 0.6:
        return rng.choice(GOOD[name])
    pieces = [rng.choice((*PIECES, *GOOD.get(name, ()))) for _ in range(rng.randint(1, 3))]
    return rng.choice(("", " ")).join(pieces)


def _random_options(rng: Random) -> dict[str, str]:
    names = [
        rng.choice(OPTION_NAMES if rng.random() < 0.9 else FIELDS) for _ in range(rng.randint(0, 5))
    ]
    if rng.random() < 0.1:
        names.append(rng.choice(PIECES))
    return {name: _random_value(rng, name) for name in names}


def _random_form(rng: Random, sound: bytes) -> Row:
    options = {
        name: bytearray(value.encode(errors="surrogatepass"))
        for name, value in _random_options(rng).items()
    }
    return Row({"image": sound, **options}, {"Accept": rng.choice(ACCEPTED)}, rng.random() < 0.1)


def _random_json(rng: Random, sound: bytes) -> Row:
    values: dict[str, Any] = {
        name: rng.choice((value, value, rng.random() * 200, rng.randint(-9, 200), None, [value]))
        for name, value in _random_options(rng).items()
    }
    body = bytearray(json.dumps({"data": base64.b64encode(sound).decode()} | values).encode())
    if rng.random() < 0.5:
        for _ in range(rng.randint(1, 5)):
            body[rng.randrange(len(body))] = rng.randrange(256)
    return Row({BODY_FIELD: body}, {"Content-Type": JSON_TYPE})


def _random_headers(rng: Random, sound: bytes) -> Row:
    ranges = [
        rng.choice((*ACCEPTED, *PIECES)) + rng.choice(QUALITIES) for _ in range(rng.randint(0, 5))
    ]
    headers = {rng.choice(("Accept", "accept", "ACCEPT")): ",".join(ranges)}
    return Row(
        {BODY_FIELD: sound}, headers | {"Content-Type": rng.choice((*PIECES, *CONTENT_TYPES))}
    )
