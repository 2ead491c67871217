"""From one row of a TorchServe batch to one request: pictures, options, form of the response.

TorchServe hands a request over as a dict. A raw or JSON body is its only entry, ``body``; the
fields of a form, or the keys of a gRPC map, are an entry each. JSON and text come as bytes, or
parsed and decoded if ``decode_input_request`` is left at TorchServe's default, which parses JSON of
any size. Everything that arrives is either honoured or refused; nothing is ignored.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from u2net_cutout.contract.errors import (
    FieldTooLong,
    InvalidBase64,
    InvalidJson,
    InvalidOption,
    MissingSource,
    MultipleBackgrounds,
    MultipleSources,
    NotAcceptable,
    TooManyFields,
    UnknownParameter,
    UnsupportedParameter,
    UrlSourcesDisabled,
)
from u2net_cutout.contract.formats import CONTENT_TYPES, JSON_TYPE, LOSSLESS, OutputFormat
from u2net_cutout.contract.limits import Limits
from u2net_cutout.contract.options import Channels, CutoutOptions, read_options
from u2net_cutout.pipeline.accept import negotiate
from u2net_cutout.pipeline.timing import StageTiming

BODY_FIELD = "body"
PICTURE_FIELDS = ("image_file", "data", "image", "file", "image_file_b64")
BASE64_FIELD = "image_file_b64"
BACKGROUND_FIELD = "bg_image_file"
URL_FIELDS = ("image_url", "bg_image_url")

TEXT_TYPES = "text/"
# JSON's marks. Base64 has none of them, so few are enough for every request.
JSON_MARKS = b"[{,"
WHITESPACE = b" \t\n\r\v\f"

PICTURES = frozenset({*PICTURE_FIELDS, *URL_FIELDS, BODY_FIELD, BACKGROUND_FIELD})
# The format for clients that name none; the gateway's remove.bg address sets it to auto.
DEFAULT_FORMAT_HEADER = "x-default-format"

EXPLANATION_OPTIONS = (CutoutOptions(), CutoutOptions(format=OutputFormat.PNG))

Fields = Mapping[str, object]


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as a server received it."""

    row: Fields
    """Its fields by name; a raw or JSON body is the field ``body``."""
    headers: Mapping[str, object] = field(default_factory=dict)
    """By name. ``explain: True``, which TorchServe sets, asks for an explanation."""
    timing: StageTiming = field(default_factory=StageTiming)
    """Collects the duration of each stage, also of a request that fails."""


@dataclass(frozen=True)
class CutoutRequest:
    """One request, read and checked."""

    picture: bytes | bytearray
    background: bytes | bytearray | None
    options: CutoutOptions
    output_format: OutputFormat
    in_json: bool
    """The response is JSON around the encoded cutout."""
    explain: bool
    """An explanation is asked for, not a cutout."""


def read_request(
    row: Fields, headers: Mapping[str, object], limits: Limits, *, explain: bool
) -> CutoutRequest:
    """Read one row and its request headers.

    Raises:
        CutoutError: the contract's refusals of what can't be understood or done.
    """
    # TorchServe files what it knows of each form field under the headers too, as a dict.
    head = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
    types = {name: _content_type(name, headers, head) for name in row}
    fields = _fields({name: _understood(row[name], types[name], limits) for name in row})
    _check_fields(fields, limits)
    picture = _picture(fields)
    options = read_options({name: fields[name] for name in fields if name not in PICTURES})
    background = _background(fields, options)
    if explain and (background or options not in EXPLANATION_OPTIONS):
        raise UnsupportedParameter("explanations take no option but format=png")
    output_format, in_json = _response_form(head, options, explain=explain)
    _check_quality(options, output_format)
    if options.channels is Channels.ALPHA and output_format is OutputFormat.ZIP:
        raise InvalidOption("channels", "a zip holds colour and matte: leave channels out")
    return CutoutRequest(picture, background, options, output_format, in_json, explain)


def _content_type(name: str, headers: Mapping[str, object], head: Mapping[str, str]) -> str:
    """Return the media type of a part of a form, or of a body, that a client declared."""
    part = headers.get(name)
    declared = part.get("content-type") if isinstance(part, Mapping) else None
    if name == BODY_FIELD:
        declared = declared or head.get("content-type")
    return str(declared or "").lower()


def _understood(value: object, content_type: str, limits: Limits) -> object:
    """Return the value of JSON, and text as text, where TorchServe has left them as they came."""
    if not isinstance(value, bytes | bytearray) or not value:
        return value
    if content_type.startswith(JSON_TYPE):
        return _parse_json(value, limits)
    if content_type.startswith(TEXT_TYPES):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


def _parse_json(body: bytes | bytearray, limits: Limits) -> object:
    # Parsed, JSON of nothing but brackets would take thirty times its size.
    marks = sum(body.count(mark) for mark in JSON_MARKS)
    if marks > 2 * limits.max_fields:
        raise TooManyFields(f"the JSON holds more than {limits.max_fields} fields")
    try:
        parsed: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidJson("the body is not valid JSON") from error
    return parsed


def _fields(row: Fields) -> Fields:
    """Return the row as named fields, those of a JSON object included."""
    body = row.get(BODY_FIELD, b"")
    if isinstance(body, bytes | bytearray | str):
        return row
    if not isinstance(body, Mapping):
        raise InvalidJson("expected an object with image_file_b64, or a base64 string")
    if BODY_FIELD in body:
        raise UnknownParameter(f"there is no parameter {BODY_FIELD!r}")
    # TorchServe's older addresses put fields of the query beside the body.
    return {**{name: value for name, value in row.items() if name != BODY_FIELD}, **body}


def _check_fields(fields: Fields, limits: Limits) -> None:
    if len(fields) > limits.max_fields:
        raise TooManyFields(
            f"the request has {len(fields)} fields; the limit is {limits.max_fields}"
        )
    for name, value in fields.items():
        texts = [name] if name in PICTURES else [name, value]
        for text in texts:
            if isinstance(text, str | bytes | bytearray) and len(text) > limits.max_field_bytes:
                raise FieldTooLong(
                    f"a field's name or value has {len(text)} bytes; the limit is "
                    f"{limits.max_field_bytes}"
                )


def _picture(fields: Fields) -> bytes | bytearray:
    if any(fields.get(name) for name in URL_FIELDS):
        raise UrlSourcesDisabled("send the picture itself, not its address")
    names = [name for name in (*PICTURE_FIELDS, BODY_FIELD) if fields.get(name)]
    if not names:
        raise MissingSource(
            f"send a picture as the body, or as one of the fields {', '.join(PICTURE_FIELDS)}"
        )
    if len(names) > 1:
        raise MultipleSources(f"send one picture, not one in each of {', '.join(names)}")
    return _bytes(names[0], fields[names[0]])


def _background(fields: Fields, options: CutoutOptions) -> bytes | bytearray | None:
    value = fields.get(BACKGROUND_FIELD)
    if not value:
        return None
    if options.bg_color is not None:
        raise MultipleBackgrounds("send bg_color or bg_image_file, not both")
    if options.channels is Channels.ALPHA:
        raise InvalidOption("channels", "channels=alpha has no background: leave it out")
    return _bytes(BACKGROUND_FIELD, value)


def _bytes(name: str, value: object) -> bytes | bytearray:
    if isinstance(value, str):
        return decode_base64(value)
    if not isinstance(value, bytes | bytearray):
        raise InvalidBase64(f"{name} is a {type(value).__name__}, not base64 text")
    if name == BASE64_FIELD:
        return decode_base64(value.decode("ascii", errors="replace"))
    return value


def decode_base64(text: str) -> bytes:
    """Decode base64, also in a ``data:`` URL or broken into lines.

    Raises:
        InvalidBase64: it is not base64.
        MissingSource: it is, and holds nothing.
    """
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise InvalidBase64("a data: URL must be base64, as in data:image/jpeg;base64,...")
    try:
        # Words in a list would take ten times the text.
        data = base64.b64decode(text.encode("ascii").translate(None, WHITESPACE), validate=True)
    except ValueError as error:  # binascii.Error and UnicodeEncodeError are
        raise InvalidBase64("the text is not base64") from error
    if not data:
        raise MissingSource("the base64 text holds no bytes")
    return data


def _response_form(
    head: Mapping[str, str], options: CutoutOptions, *, explain: bool
) -> tuple[OutputFormat, bool]:
    """Return the format of the response, and whether JSON is wrapped around it.

    Over gRPC there are no headers, so a response has neither size nor content type: there the
    default is PNG, which holds both.
    """
    default = None if explain else _default_format(head)
    offers = [OutputFormat.PNG] if explain or not head else list(CONTENT_TYPES)
    first = OutputFormat.PNG if default is OutputFormat.AUTO else default
    offers.sort(key=lambda offer: offer is not first)
    types = [CONTENT_TYPES[output_format] for output_format in offers]
    chosen = negotiate(head.get("accept", ""), (*types, JSON_TYPE))
    if chosen == JSON_TYPE:
        return options.format or default or OutputFormat.PNG, True
    if options.format is not None:
        return options.format, False
    if chosen is None:
        raise NotAcceptable(f"on offer: {', '.join((*types, JSON_TYPE))}")
    as_accepted = offers[types.index(chosen)]
    if default is OutputFormat.AUTO and as_accepted is OutputFormat.PNG:
        as_accepted = OutputFormat.AUTO if _either(head.get("accept", "")) else as_accepted
    return as_accepted, False


def _default_format(head: Mapping[str, str]) -> OutputFormat | None:
    """Return the format that a gateway sets for clients that name none."""
    text = head.get(DEFAULT_FORMAT_HEADER, "")
    try:
        return OutputFormat(text) if text else None
    except ValueError as error:
        raise InvalidOption("format", f"{DEFAULT_FORMAT_HEADER}: {text[:40]!r} is none") from error


def _either(accept: str) -> bool:
    """Whether JPEG is no less welcome than PNG, so that `auto` may choose."""
    jpeg, png = CONTENT_TYPES[OutputFormat.JPG], CONTENT_TYPES[OutputFormat.PNG]
    return negotiate(accept, (jpeg, png)) == jpeg


def _check_quality(options: CutoutOptions, output_format: OutputFormat) -> None:
    if options.quality is None:
        return
    if not output_format.takes_quality:
        raise InvalidOption("quality", "quality is for JPEG and WebP only")
    if options.quality == LOSSLESS and output_format is not OutputFormat.WEBP:
        raise InvalidOption("quality", f"quality={LOSSLESS} is for WebP only")
