"""From one row of a TorchServe batch to one request: pictures, options, form of the response.

TorchServe hands a request over as a dict. A raw or JSON body is its only entry, ``body``; the
fields of a form, or the keys of a gRPC map, are an entry each. Everything that arrives is either
honoured or refused; nothing is ignored, but a picture's field that is empty, as browsers send where
no file was chosen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from u2net_cutout.contract.errors import (
    CompressedBody,
    FieldTooLong,
    InvalidBase64,
    InvalidOption,
    MissingSource,
    MultipleBackgrounds,
    MultipleSources,
    TooManyFields,
    UnknownParameter,
    UnsupportedParameter,
    UrlSourcesDisabled,
)
from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.limits import Limits
from u2net_cutout.contract.options import (
    OPTION_NAMES,
    OPTIONS,
    Channels,
    CutoutOptions,
    read_options,
)
from u2net_cutout.pipeline.base64_text import decode_base64
from u2net_cutout.pipeline.body import BODY_FIELD, Fields, read_fields
from u2net_cutout.pipeline.media_type import MediaType
from u2net_cutout.pipeline.response_form import ResponseForm
from u2net_cutout.pipeline.timing import StageTiming

PICTURE_FIELDS = ("image_file", "data", "image", "file", "image_file_b64")
BASE64_FIELD = "image_file_b64"
BACKGROUND_FIELD = "bg_image_file"
URL_FIELDS = ("image_url", "bg_image_url")
PICTURES = frozenset({*PICTURE_FIELDS, *URL_FIELDS, BODY_FIELD, BACKGROUND_FIELD})

EXPLANATION_OPTIONS = (CutoutOptions(), CutoutOptions(format=OutputFormat.PNG))


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
    if head.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise CompressedBody("send the body without Content-Encoding; pictures are compressed")
    types = {name: _media_type(name, headers, head) for name in (BODY_FIELD, *row)}
    fields = read_fields(row, types, head.get("content-length", ""), limits)
    _check_fields(fields, limits)
    picture = _picture(fields)
    options = read_options({name: fields[name] for name in fields if name not in PICTURES})
    background = _background(fields, options)
    if explain and (background or options not in EXPLANATION_OPTIONS):
        raise UnsupportedParameter("explanations support only format=png")
    form = ResponseForm.choose(head, options, explain=explain)
    return CutoutRequest(picture, background, options, form.output_format, form.in_json, explain)


def _media_type(name: str, headers: Mapping[str, object], head: Mapping[str, str]) -> MediaType:
    """Return the type of a part of a form, or of a body, that a client declared."""
    part = headers.get(name)
    declared = part.get("content-type") if isinstance(part, Mapping) else None
    if name == BODY_FIELD:
        # Of a body TorchServe passes on the name alone as that of the part.
        declared = head.get("content-type") or declared
    return MediaType.parse(str(declared or ""))


def _check_fields(fields: Fields, limits: Limits) -> None:
    if len(fields) > limits.max_fields:
        raise TooManyFields(
            f"the request has {len(fields)} fields; the limit is {limits.max_fields}"
        )
    # Before the lengths: a picture under another name is no option that is too long.
    for name in fields:
        if name not in PICTURES and name not in OPTION_NAMES:
            raise UnknownParameter(
                f"there is no field {name[:40]!r}: a picture is {', '.join(PICTURE_FIELDS)} or "
                f"{BACKGROUND_FIELD}, an option "
                f"{', '.join(option.name for option in OPTIONS)}"
            )
    for name, value in fields.items():
        if name in PICTURES or not isinstance(value, str | bytes | bytearray):
            continue
        if len(value) > limits.max_field_bytes:
            raise FieldTooLong(
                f"{name} has {len(value)} bytes; the limit is {limits.max_field_bytes}"
            )


def _picture(fields: Fields) -> bytes | bytearray:
    if any(fields.get(name) for name in URL_FIELDS):
        raise UrlSourcesDisabled("send the picture itself, not its address")
    names = [name for name in (*PICTURE_FIELDS, BODY_FIELD) if fields.get(name)]
    if not names:
        empty = [name for name in (*PICTURE_FIELDS, BODY_FIELD) if name in fields]
        reason = f"{empty[0]} is empty: the file has no bytes. " if empty else ""
        raise MissingSource(
            f"{reason}Send a picture as the body, or as one of {', '.join(PICTURE_FIELDS)}"
        )
    name, *others = names
    if others:
        raise MultipleSources(f"send one picture, not one in each of {', '.join(names)}")
    return _bytes(name, fields[name])


def _background(fields: Fields, options: CutoutOptions) -> bytes | bytearray | None:
    value = fields.get(BACKGROUND_FIELD)
    if not value:
        return None
    if options.bg_color is not None:
        raise MultipleBackgrounds("send bg_color or bg_image_file, not both")
    if options.channels is Channels.ALPHA:
        raise InvalidOption("channels", "channels=alpha can't be combined with a background")
    return _bytes(BACKGROUND_FIELD, value)


def _bytes(name: str, value: object) -> bytes | bytearray:
    if isinstance(value, str):
        return decode_base64(value)
    if not isinstance(value, bytes | bytearray):
        raise InvalidBase64(f"{name} is a {type(value).__name__}, not base64 text")
    if name == BASE64_FIELD:
        return decode_base64(value.decode(errors="replace"))
    return value
