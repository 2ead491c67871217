"""Write the table of options into docs/options.md, and the OpenAPI description of the model.

Both come from ``u2net_cutout/contract/options.py`` and are committed; a test compares them with it.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from scripts.common.errors import CommandError
from scripts.common.options import parse
from scripts.common.paths import ROOT
from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.formats import CONTENT_TYPES, JSON_TYPE, OutputFormat
from u2net_cutout.contract.options import OPTIONS, Option
from u2net_cutout.pipeline.request import BACKGROUND_FIELD, BASE64_FIELD, PICTURE_FIELDS

PAGE = ROOT / "docs" / "options.md"
OPENAPI = ROOT / "docs" / "openapi.json"
BEGIN, END = "<!-- options: make contract -->", "<!-- end of options -->"

HEADERS = {
    "X-Width": "width of the answer's picture, in pixels",
    "X-Height": "its height",
    "X-Foreground-Left": "left edge of the subject's box in it; 0 if there is no subject",
    "X-Foreground-Top": "top edge of the box",
    "X-Foreground-Width": "width of the box; 0 if there is no subject",
    "X-Foreground-Height": "height of the box",
    "X-Input-Size": "side of the square that the network saw, in pixels",
    "Server-Timing": "milliseconds of decode, preprocess, inference, postprocess and encode",
}


def options_table() -> str:
    """Return the options as a Markdown table."""
    lines = ["| option | values | meaning | default |", "|---|---|---|---|"]
    for option in OPTIONS:
        lines.append(f"| `{option.name}` | | {option.meaning} | {option.default} |")
        lines += [f"| | {value} | {effect} | |" for value, effect in option.values.items()]
    return "\n".join(lines)


def with_table(page: str) -> str:
    """Return a page with today's table of options between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{options_table()}\n{END}{after}"


def openapi() -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of the prediction and explanation addresses."""
    options = {
        option.name: {
            "type": "string",
            "description": _described(option),
        }
        for option in OPTIONS
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "U²-Net cutout server", "version": "1.0"},
        "servers": [{"url": "http://127.0.0.1:8080"}],
        "paths": {
            "/predictions/{model}": {
                "post": _operation(
                    "Cut the foreground out of a photo",
                    options,
                    (*PICTURE_FIELDS, BACKGROUND_FIELD),
                    CONTENT_TYPES.values(),
                )
            },
            "/explanations/{model}": {
                "post": _operation(
                    "Show where the network is unsure",
                    {"format": {"type": "string", "enum": ["png"]}},
                    PICTURE_FIELDS,
                    [CONTENT_TYPES[OutputFormat.PNG]],
                )
            },
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Errors": _ERRORS},
        },
    }


def _described(option: Option) -> str:
    values = "; ".join(f"{value}: {effect}" for value, effect in option.values.items())
    return f"{option.meaning}. Values: {values}. Default: {option.default}"


def _operation(
    summary: str, options: dict[str, Any], pictures: Sequence[str], kinds: Iterable[str]
) -> dict[str, Any]:
    """Describe a POST that takes these options and pictures and answers in these media types."""
    answers: dict[str, Any] = {
        "200": {
            "description": "a picture",
            "headers": {
                name: {"description": text, "schema": {"type": _kind(name)}}
                for name, text in HEADERS.items()
            },
            "content": {kind: {} for kind in (*kinds, JSON_TYPE)},
        }
    }
    for status in sorted({error.status for error in _errors()}):
        titles = sorted(error.title for error in _errors() if error.status == status)
        answers[str(status)] = {
            "description": "; ".join(titles),
            "content": {JSON_TYPE: {"schema": {"$ref": "#/components/schemas/Errors"}}},
        }
    return {
        "summary": summary,
        "parameters": [{"name": "model", "in": "path", "required": True, "schema": _TEXT}],
        "security": [{"token": []}],
        "requestBody": {"required": True, "content": _request_content(options, pictures)},
        "responses": answers,
    }


_TEXT = {"type": "string"}
_FILE = {"type": "string", "contentMediaType": "image/*"}
_BASE64 = {"type": "string", "contentEncoding": "base64"}
_ERRORS = {
    "type": "object",
    "properties": {
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"title": _TEXT, "code": _TEXT, "detail": _TEXT},
            },
        }
    },
}


def _kind(header: str) -> str:
    return "integer" if header.startswith("X-") else "string"


def _errors(kind: type[CutoutError] = CutoutError) -> list[type[CutoutError]]:
    """Return the errors that clients get: the leaves of the tree."""
    return [leaf for child in kind.__subclasses__() for leaf in _errors(child) or [child]]


def _request_content(options: dict[str, Any], pictures: Sequence[str]) -> dict[str, Any]:
    encoded = {name: _BASE64 for name in pictures}
    files = {name: _BASE64 if name == BASE64_FIELD else _FILE for name in pictures}
    return {
        "image/*": {"schema": _FILE},
        "application/octet-stream": {"schema": _FILE},
        "multipart/form-data": {"schema": _object(files | options)},
        JSON_TYPE: {"schema": _object(encoded | options)},
        "text/plain": {"schema": _BASE64},
        "application/x-www-form-urlencoded": {"schema": _object({BASE64_FIELD: _BASE64} | options)},
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def contract(line: Sequence[str]) -> None:
    """Write both files."""
    parse("contract", "Write the options into docs/.", line)
    page = PAGE.read_text(encoding="utf-8")
    if BEGIN not in page or END not in page:
        raise CommandError(f"{PAGE.name} lacks the marks {BEGIN} and {END}")
    PAGE.write_text(with_table(page), encoding="utf-8")
    OPENAPI.write_text(json.dumps(openapi(), indent=2) + "\n", encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}, {OPENAPI.relative_to(ROOT)}")
