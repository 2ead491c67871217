"""Malformed requests, as the rows that TorchServe passes to the handler."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from u2net_cutout.contract.formats import JSON_TYPE
from u2net_cutout.contract.options import OPTIONS, UNSUPPORTED
from u2net_cutout.pipeline.body import BODY_FIELD
from u2net_cutout.pipeline.request import (
    BACKGROUND_FIELD,
    BASE64_FIELD,
    PICTURE_FIELDS,
    URL_FIELDS,
)

OPTION_NAMES = tuple(option.name for option in OPTIONS)
FIELDS = (*OPTION_NAMES, *UNSUPPORTED, *PICTURE_FIELDS, BACKGROUND_FIELD, *URL_FIELDS, BODY_FIELD)


@dataclass(frozen=True)
class Row:
    """One row of a batch with its headers."""

    fields: Mapping[str, Any]
    headers: Mapping[str, Any] = field(default_factory=lambda: {"Host": "localhost"})
    explain: bool = False


def shaped(rng: Random, data: bytes) -> Row:
    """Return a row with a file in one of the forms that the handler accepts."""
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
    """Return a row with a sound picture and `data` as its background."""
    return Row({"image_file": sound, BACKGROUND_FIELD: bytearray(data)})


def malformed_rows(sound: bytes) -> Iterator[tuple[str, Row]]:
    """Yield rows by name; a picture in them is sound."""
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
    values: list[Any] = [None, True, 5, 1.5, [], {}, [1], b"", b"\xff\xfe", "", bytearray(b"\0")]
    for name in FIELDS:
        for value in values:
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
    values: list[Any] = [None, True, 5, [], [[]], "", {}, {"body": 1}, {"data": {"data": text}}]
    for value in values:
        yield repr(value)[:30], json.dumps(value).encode()
