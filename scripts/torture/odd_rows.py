"""Requests as TorchServe hands them over, with something wrong about them."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Any

from cutout_options import OPTIONS, UNSUPPORTED
from cutout_request import (
    BACKGROUND_FIELD,
    BASE64_FIELD,
    BODY_FIELD,
    JSON_TYPE,
    PICTURE_FIELDS,
    URL_FIELDS,
)

NAMES = [option.name for option in OPTIONS]
FIELDS = (*NAMES, *UNSUPPORTED, *PICTURE_FIELDS, BACKGROUND_FIELD, *URL_FIELDS, BODY_FIELD)
ACCEPTED = ("*/*", "image/png", "image/*", "image/webp", JSON_TYPE, "application/zip", "text/html")
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
# What values are made of that break parsers.
PIECES = (
    *(
        "",
        "0",
        "-1",
        "1e999",
        "NaN",
        "٣",
        "px",
        "%",
        "#",
        "0x10",
        "1_000",
        "true",
        "null",
        "\ud800",
    ),
    *("\r\nX-Evil: 1", "\0", "%00", "../../etc/passwd", "{{7*7}}", "'", '"', "\u202e", "é", "🙂"),
    *("9" * 400, " " * 300, "rgb(1,2,3)", "hsl(0,0%,0%)", "a" * 5000, "1" * 5000),
)


@dataclass(frozen=True)
class Row:
    """One row of a batch with its headers."""

    fields: Mapping[str, Any]
    headers: Mapping[str, Any] = field(default_factory=lambda: {"Host": "localhost"})
    explain: bool = False


def shaped(rng: Random, data: bytes) -> Row:
    """Return a row that brings a file in one of the ways in which files come."""
    text = base64.b64encode(data).decode()
    return rng.choice(
        [
            Row({BODY_FIELD: bytearray(data)}),
            Row({BODY_FIELD: bytearray(data)}, {"Content-Type": "text/plain"}),
            Row({BODY_FIELD: bytearray(data)}, {"Content-Type": JSON_TYPE}),
            Row({BODY_FIELD: text}),
            Row({BODY_FIELD: json.dumps({"data": text}).encode()}, {"Content-Type": JSON_TYPE}),
            Row({BODY_FIELD: {BASE64_FIELD: f"data:image/png;base64,{text}"}}),
            Row({rng.choice(PICTURE_FIELDS[:4]): bytearray(data)}),
            Row({BASE64_FIELD: bytearray(text.encode())}),
            Row({"image": text}, {"image": {"content-type": "text/plain"}}),
            Row({BODY_FIELD: bytearray(data)}, explain=True),
        ]
    )


def with_background(sound: bytes, data: bytes) -> Row:
    """Return a row with a sound picture and this file to lie it on."""
    return Row({"image_file": sound, BACKGROUND_FIELD: bytearray(data)})


def random_row(rng: Random, sound: bytes) -> Row:
    """Return a row with options, headers or JSON made up; its picture is sound."""
    return rng.choice((_random_form, _random_json, _random_headers))(rng, sound)


def odd_rows(sound: bytes) -> Iterator[tuple[str, Row]]:
    """Yield rows by name; where they hold a picture, it is sound."""
    text = base64.b64encode(sound).decode()
    picture = {"image": sound}
    yield "10,000 fields", Row(picture | {f"f{number}": b"1" for number in range(10_000)})
    yield "a name of a megabyte", Row(picture | {"n" * (1 << 20): b""})
    yield "a value of 10 MB", Row(picture | {"format": b"png" * (10 << 20)})
    yield "names with line breaks", Row(picture | {"format\r\nX-Evil: 1": b"png"})
    yield "values with line breaks", Row(picture | {"format": b"png\r\nX-Evil: 1"})
    yield "base64 in words", Row({BODY_FIELD: "QUFB " * 2_000_000})
    yield "base64 of one letter", Row({BODY_FIELD: "Q" * 1001})
    yield "base64 with rubbish", Row({BODY_FIELD: text + "!" + text})
    yield "base64 with padding inside", Row({BODY_FIELD: text + "==" + text})
    yield "base64 of zeros", Row({BODY_FIELD: base64.b64encode(bytes(1 << 24)).decode()})
    yield "a spoofed explanation", Row(picture, {"explain": "True", "describe": "True"}, True)
    yield "a header of numbers", Row(picture, {"Accept": 5, "Content-Type": None, "x": {"y": 1}})
    for name, body in _json_bodies(text):
        yield f"JSON: {name}", Row({BODY_FIELD: bytearray(body)}, {"Content-Type": JSON_TYPE})
    for name in FIELDS:
        for value in (None, True, 5, 1.5, [], {}, [1], b"", b"\xff\xfe", "", bytearray(b"\0")):
            yield f"{name} = {value!r}", Row(picture | {name: value})


def _json_bodies(text: str) -> Iterator[tuple[str, bytes]]:
    yield "deep", b"[" * 100_000 + b"]" * 100_000
    yield "deep objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    yield "wide", b"[" + b"[]," * 1_000_000 + b"[]]"
    yield "a huge number", b'{"quality": ' + b"9" * 1_000_000 + b"}"
    yield (
        "a number of 4,000 digits",
        b'{"data": "%b", "quality": %b}'
        % (
            text.encode(),
            b"9" * 4000,
        ),
    )
    yield "a huge exponent", b'{"data": "%b", "quality": 1e99999}' % text.encode()
    for number in (b"NaN", b"Infinity", b"-Infinity", b"-0", b"1e-999"):
        yield number.decode(), b'{"data": "%b", "scale": %b}' % (text.encode(), number)
    yield "keys twice", b'{"data": "", "data": "%b", "data": 5}' % text.encode()
    yield "a lone surrogate", b'{"data": "\\ud800", "\\udfff": "\\ud800"}'
    yield "not UTF-8", b'{"data": "\xff\xfe"}'
    yield "UTF-16", json.dumps({"data": text}).encode("utf-16")
    yield "a byte order mark", b"\xef\xbb\xbf{}"
    yield "cut short", json.dumps({"data": text}).encode()[:-9]
    yield "zeros", bytes(1000)
    yield "100,000 keys", json.dumps({str(number): number for number in range(100_000)}).encode()
    for value in (None, True, 5, [], [[]], "", {}, {"body": 1}, {"data": {"data": text}}):
        yield repr(value)[:30], json.dumps(value).encode()


def _random_value(rng: Random, name: str) -> str:
    if name in GOOD and rng.random() < 0.6:
        return rng.choice(GOOD[name])
    pieces = [rng.choice((*PIECES, *GOOD.get(name, ()))) for _ in range(rng.randint(1, 3))]
    return rng.choice(("", " ")).join(pieces)


def _random_options(rng: Random) -> dict[str, str]:
    names = [rng.choice(NAMES if rng.random() < 0.9 else FIELDS) for _ in range(rng.randint(0, 5))]
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
        name: rng.choice(
            (value, value, value, rng.random() * 200, rng.randint(-9, 200), None, [value])
        )
        for name, value in _random_options(rng).items()
    }
    body = bytearray(json.dumps({"data": base64.b64encode(sound).decode()} | values).encode())
    if rng.random() < 0.5:
        for _ in range(rng.randint(1, 5)):
            body[rng.randrange(len(body))] = rng.randrange(256)
    return Row({BODY_FIELD: body}, {"Content-Type": JSON_TYPE})


def _random_headers(rng: Random, sound: bytes) -> Row:
    ranges = [
        rng.choice((*ACCEPTED, *PIECES))
        + rng.choice(("", ";q=0", ";q=0.5", ";q=NaN", ";q=-1", ";;"))
        for _ in range(rng.randint(0, 5))
    ]
    kinds = (*PIECES, JSON_TYPE, "text/plain; charset=utf-7", "image/svg+xml")
    headers = {rng.choice(("Accept", "accept", "ACCEPT")): ",".join(ranges)}
    return Row({BODY_FIELD: sound}, headers | {"Content-Type": rng.choice(kinds)})
