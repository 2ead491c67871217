"""From one row of a TorchServe batch to one request: the picture's bytes and its options.

TorchServe hands a request over as a dict. A raw or JSON body is its only entry, ``body``, already
parsed if it was JSON and decoded if it was text; the fields of a form, or the keys of a gRPC map,
are an entry each. Everything that arrives is either honoured or refused; nothing is ignored.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from content_negotiation import negotiate
from cutout_errors import (
    InvalidBase64,
    InvalidJson,
    InvalidOption,
    MissingSource,
    MultipleSources,
    NotAcceptable,
    UnknownParameter,
    UnsupportedParameter,
    UrlSourcesDisabled,
)
from image_encoding import OutputFormat

BODY_FIELD = "body"
PICTURE_FIELDS = ("image_file", "data", "image", "file", "image_file_b64")
URL_FIELDS = ("image_url", "bg_image_url")
FORMAT_FIELD = "format"

# Options of the remove.bg API 1.0 (and `channels`, `edges` of ours) that are not offered, with the
# values that ask for nothing and are therefore fine.
UNSUPPORTED_OPTIONS: Mapping[str, frozenset[str]] = {
    "add_shadow": frozenset({"false"}),
    "bg_color": frozenset(),
    "bg_image_file": frozenset(),
    "channels": frozenset({"rgba"}),
    "crop": frozenset({"false"}),
    "crop_margin": frozenset(),
    "edges": frozenset({"plain"}),
    "position": frozenset({"original"}),
    "quality": frozenset(),
    "roi": frozenset(),
    "scale": frozenset({"original"}),
    "semitransparency": frozenset({"true"}),
    "shadow_opacity": frozenset(),
    "shadow_type": frozenset(),
    "size": frozenset({"auto", "full"}),
    "type": frozenset({"auto"}),
    "type_level": frozenset(),
}


@dataclass(frozen=True)
class CutoutRequest:
    """What one client asked for."""

    picture: bytes | bytearray
    output_format: OutputFormat


def read_request(
    row: Mapping[str, object], headers: Mapping[str, object], formats: Sequence[OutputFormat]
) -> CutoutRequest:
    """Read one row and its request headers; `formats` are on offer, the default first.

    Over gRPC there are no headers, and so neither size nor content type in the answer: there PNG is
    the default, which says both itself.

    Raises:
        CutoutError: the contract's refusals of what can't be understood or done.
    """
    # TorchServe files what it knows of each form field under the headers too, as a dict.
    head = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
    fields = _fields(row, head)
    picture = _picture(fields)
    _refuse_unoffered(fields)
    default = formats if head else (OutputFormat.PNG,)
    if FORMAT_FIELD in fields:
        return CutoutRequest(picture, _named_format(fields[FORMAT_FIELD], formats))
    return CutoutRequest(picture, _accepted_format(head.get("accept", ""), default))


def _fields(row: Mapping[str, object], head: Mapping[str, str]) -> Mapping[str, object]:
    """Return the row as named fields, those of a JSON object included."""
    if BODY_FIELD not in row:
        return row
    body = row[BODY_FIELD]
    if isinstance(body, bytes | bytearray):
        if not body or not head.get("content-type", "").lower().startswith("application/json"):
            return row
        # TorchServe hands JSON that it can't parse over as it came, or whose type it can't spell.
        body = _parse_json(body)
    # TorchServe's older addresses put fields of the query beside the body.
    beside = {name: value for name, value in row.items() if name != BODY_FIELD}
    if isinstance(body, str):
        return {**beside, BODY_FIELD: body}
    if not isinstance(body, Mapping):
        raise InvalidJson("expected an object with image_file_b64, or a base64 string")
    if BODY_FIELD in body:
        raise UnknownParameter(f"there is no parameter {BODY_FIELD!r}")
    return {**beside, **body}


def _parse_json(body: bytes | bytearray) -> object:
    try:
        parsed: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidJson("the body is not valid JSON") from error
    return parsed


def _picture(fields: Mapping[str, object]) -> bytes | bytearray:
    if any(fields.get(name) for name in URL_FIELDS):
        raise UrlSourcesDisabled("send the picture itself, not its address")
    names = [name for name in (*PICTURE_FIELDS, BODY_FIELD) if fields.get(name)]
    if not names:
        raise MissingSource(
            f"send a picture as the body, or as one of the fields {', '.join(PICTURE_FIELDS)}"
        )
    if len(names) > 1:
        raise MultipleSources(f"send one picture, not one in each of {', '.join(names)}")
    name = names[0]
    value = fields[name]
    if isinstance(value, str):
        return decode_base64(value)
    if not isinstance(value, bytes | bytearray):
        raise InvalidBase64(f"{name} is a {type(value).__name__}, not base64 text")
    if name == "image_file_b64":
        return decode_base64(value.decode("ascii", errors="replace"))
    return value


def decode_base64(text: str) -> bytes:
    """Decode base64, also in a ``data:`` URL or broken into lines.

    Raises:
        InvalidBase64: it is not base64, or empty.
    """
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise InvalidBase64("a data: URL must be base64, as in data:image/jpeg;base64,...")
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidBase64("the text is not base64") from error
    if not data:
        raise MissingSource("the base64 text holds no bytes")
    return data


def _refuse_unoffered(fields: Mapping[str, object]) -> None:
    known = {*PICTURE_FIELDS, *URL_FIELDS, FORMAT_FIELD, BODY_FIELD}
    for name in sorted(set(fields) - known):
        if name not in UNSUPPORTED_OPTIONS:
            raise UnknownParameter(f"there is no parameter {name[:40]!r}")
        harmless = UNSUPPORTED_OPTIONS[name]
        if _option_text(name, fields[name]) not in harmless:
            offered = f"; only {' or '.join(sorted(harmless))} is taken" if harmless else ""
            raise UnsupportedParameter(f"{name} is not offered{offered}")


def _named_format(value: object, formats: Sequence[OutputFormat]) -> OutputFormat:
    text = _option_text(FORMAT_FIELD, value)
    for output_format in formats:
        if text == output_format.value:
            return output_format
    offered = " or ".join(output_format.value for output_format in formats)
    raise InvalidOption(FORMAT_FIELD, f"format must be {offered}, not {text[:40]!r}")


def _accepted_format(accept: str, formats: Sequence[OutputFormat]) -> OutputFormat:
    offers = {output_format.content_type: output_format for output_format in formats}
    chosen = negotiate(accept, tuple(offers))
    if chosen is None:
        raise NotAcceptable(f"on offer: {', '.join(offers)}")
    return offers[chosen]


def _option_text(name: str, value: object) -> str:
    """Return an option as text, whichever channel it came through.

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
