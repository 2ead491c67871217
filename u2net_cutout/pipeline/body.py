"""The fields of a request, whatever its body is: a form, JSON, text or the picture itself.

TorchServe passes the fields of most forms on one by one. JSON, text and other forms arrive whole,
or as values if ``decode_input_request`` is left at its default, which parses JSON of any size.
"""

import json
from collections.abc import Iterable, Mapping

from u2net_cutout.contract.errors import InvalidForm, InvalidJson, TooManyFields, UnknownParameter
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.form_loss import check_arrived
from u2net_cutout.pipeline.media_type import FORM_TYPE, URLENCODED_TYPE, MediaType
from u2net_cutout.pipeline.multipart_form import multipart_parts
from u2net_cutout.pipeline.urlencoded_form import urlencoded_fields

BODY_FIELD = "body"
Fields = Mapping[str, object]

# JSON's marks. Base64 has none of them, so few are enough for every request.
JSON_MARKS = b"[{,"
# What JSON begins with that is of use here, and base64 never does.
JSON_BEGINNINGS = (b"{", b"[", b'"')
# A byte order mark, and white space.
IGNORED_BEFORE_JSON = b"\xef\xbb\xbf \t\r\n"
BEGINNING = 64


def read_fields(row: Fields, types: Mapping[str, MediaType], length: str, limits: Limits) -> Fields:
    """Return the fields of a row by name, understood by their types.

    `types` has the type of each, and of the whole body as that of ``body``; `length` is the
    ``Content-Length``, empty if it is not known.

    Raises:
        InvalidForm, InvalidJson: the body is not what its type says.
        TooManyFields: it has more than a request may have.
        UnknownParameter: a JSON object with a key ``body``.
    """
    whole = types.get(BODY_FIELD, MediaType())
    if BODY_FIELD not in row:
        check_arrived(row, whole, length, limits)
    fields = {
        name: _understood(value, types.get(name, MediaType()), limits)
        for name, value in row.items()
    }
    body = _form(fields.pop(BODY_FIELD, b""), whole, limits)
    if isinstance(body, bytes | bytearray | str):
        return {**fields, BODY_FIELD: body} if BODY_FIELD in row else fields
    if not isinstance(body, Mapping):
        raise InvalidJson("expected an object with image_file_b64, or a base64 string")
    if BODY_FIELD in body:
        raise UnknownParameter(f"there is no parameter {BODY_FIELD!r}")
    # TorchServe's older addresses put fields of the query beside the body.
    return {**fields, **body}


def _understood(value: object, media_type: MediaType, limits: Limits) -> object:
    """Return the value of JSON, and text as text, where they have arrived as bytes."""
    if not isinstance(value, bytes | bytearray) or not value:
        return value
    # A page's fetch() sends JSON as text/plain if it isn't told otherwise.
    if media_type.is_json or (media_type.is_text and _begins_as_json(value)):
        return _parse_json(value, limits)
    if media_type.is_text:
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


def _begins_as_json(value: bytes | bytearray) -> bool:
    beginning = bytes(value[:BEGINNING]).lstrip(IGNORED_BEFORE_JSON)
    return beginning.startswith(JSON_BEGINNINGS)


def _form(body: object, media_type: MediaType, limits: Limits) -> object:
    """Return the fields of a form that has arrived whole, anything else as it is."""
    if not isinstance(body, bytes | bytearray) or not body:
        return body
    if media_type.name == FORM_TYPE:
        parts = multipart_parts(body, media_type, limits)
        return _by_name((name, _understood(part, kind, limits)) for name, part, kind in parts)
    if media_type.name == URLENCODED_TYPE:
        return _by_name(urlencoded_fields(body, limits))
    return body


def _parse_json(body: bytes | bytearray, limits: Limits) -> object:
    # Parsed, JSON of nothing but brackets would take thirty times its size.
    marks = sum(body.count(mark) for mark in JSON_MARKS)
    if marks > 2 * limits.max_fields:
        raise TooManyFields(f"the JSON has more than {limits.max_fields} fields")
    try:
        parsed: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidJson("the body is not valid JSON") from error
    return parsed


def _by_name(pairs: Iterable[tuple[str, object]]) -> Fields:
    fields: dict[str, object] = {}
    for name, value in pairs:
        if name in fields:
            raise InvalidForm(f"the form has the field {name[:40]!r} twice")
        fields[name] = value
    return fields
