"""Write the table of options into docs/options.md, and the OpenAPI description of the gateway.

Both come from ``u2net_cutout/contract`` and are committed; a test compares them with it. The
errors of the gateway come from ``deploy/nginx/public.conf.in``.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
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
PUBLIC_SIDE = ROOT / "deploy" / "nginx" / "public.conf.in"
BEGIN, END = "<!-- options: make contract -->", "<!-- end of options -->"

HEADERS = {
    "X-Width": "width of the picture, in pixels",
    "X-Height": "its height",
    "X-Foreground-Left": "left edge of the subject's bounding box; 0 if there is no subject",
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
    """Return the OpenAPI 3.1 description of the gateway, and so of the model behind it."""
    options = {
        option.name: {"type": "string", "description": _described(option)} for option in OPTIONS
    }
    cutout = {
        "tags": ["Pictures"],
        "summary": "Remove the background of a picture",
        "security": _SECURITY,
        "requestBody": _reference("requestBodies", "Picture"),
        "responses": {"200": _reference("responses", "Cutout")} | _refused(),
    }
    explanation = {
        "tags": ["Pictures"],
        "summary": "Show where the network is unsure",
        "security": _SECURITY,
        "requestBody": _reference("requestBodies", "ExplainedPicture"),
        "responses": {"200": _reference("responses", "Explanation")} | _refused(),
    }
    versioned = [*_parameters("model"), *_parameters("version")]
    return {
        "openapi": "3.1.0",
        "info": {"title": "U²-Net cutout server", "version": "1.0", "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": {
            "/v1.0/removebg": {"post": cutout | {"description": _REMOVEBG}},
            "/predictions/{model}": {
                "post": cutout | {"parameters": _parameters("model"), "description": _PREDICTIONS}
            },
            "/predictions/{model}/{version}": {"post": cutout | {"parameters": versioned}},
            "/explanations/{model}": {"post": explanation | {"parameters": _parameters("model")}},
            "/explanations/{model}/{version}": {"post": explanation | {"parameters": versioned}},
            "/v1.0/account": {"get": _ACCOUNT | {"responses": _account()}},
            "/healthz": {"get": _HEALTH | {"responses": _health()}},
        },
        "components": {
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "schemas": {"Errors": _ERRORS},
            "requestBodies": {
                "Picture": _request(options, (*PICTURE_FIELDS, BACKGROUND_FIELD)),
                "ExplainedPicture": _request(
                    {"format": {"type": "string", "enum": ["png"]}}, PICTURE_FIELDS
                ),
            },
            "responses": {
                "Cutout": _picture("the cutout", CONTENT_TYPES.values()),
                "Explanation": _picture("the heat map", [CONTENT_TYPES[OutputFormat.PNG]]),
                **{f"Error{status}": _error(titles) for status, titles in _titles().items()},
            },
        },
    }


def refusals(configuration: str) -> Iterator[tuple[int, str, str]]:
    """Yield status, code and title of each error of the gateway, from nginx's configuration."""
    for block in _REFUSAL.finditer(configuration):
        yield int(block["status"]), block["code"], block["title"]


_REFUSAL = re.compile(
    r"location = /_refused/\w+ \{\s*set \$code (?P<code>\w+);\s*set \$title \"(?P<title>[^\"]+)\";"
    r"[^}]*?return (?P<status>[45]\d\d) "
)
_ABOUT = (
    "The addresses of the gateway. TorchServe has `/predictions` and `/explanations` at its own "
    "port: send a token there instead of a key. Its own errors have another form."
)
_REMOVEBG = "As remove.bg's API; the default format is `auto`."
_PREDICTIONS = "The default format is raw RGBA; see `X-Width` and `X-Height` for its size."
_SECURITY: list[dict[str, list[str]]] = [{"key": []}, {"bearer": []}]
_ACCOUNT = {
    "tags": ["Account"],
    "summary": "Show the account of remove.bg's API; its balance never falls",
    "security": _SECURITY,
}
_HEALTH = {"tags": ["Health"], "summary": "Whether a worker is READY", "security": []}
# Statuses that have nothing to do with a picture: the rest is for every request.
_OF_REQUESTS = (401, 403, 429, 500)


def _described(option: Option) -> str:
    values = "; ".join(f"{value}: {effect}" for value, effect in option.values.items())
    return f"{option.meaning}. Values: {values}. Default: {option.default}"


def _titles() -> dict[int, list[str]]:
    """Return what each status of an error stands for: codes with their titles."""
    found = {
        (error.status, getattr(error, "code", "invalid_<option>"), error.title)
        for error in _errors()
    }
    found.update(refusals(PUBLIC_SIDE.read_text(encoding="utf-8")))
    titles: dict[int, list[str]] = {}
    for status, code, title in sorted(found):
        titles.setdefault(status, []).append(f"`{code}`: {title}")
    return titles


def _refused() -> dict[str, Any]:
    return {str(status): _reference("responses", f"Error{status}") for status in _titles()}


def _account() -> dict[str, Any]:
    answers = _refused()
    return {"200": {"description": "the account", "content": {JSON_TYPE: {}}}} | {
        str(status): answers[str(status)] for status in _OF_REQUESTS
    }


def _health() -> dict[str, Any]:
    return {"200": {"description": "a worker is READY"}, "503": _refused()["503"]}


def _error(titles: Sequence[str]) -> dict[str, Any]:
    schema = _reference("schemas", "Errors")
    return {"description": "; ".join(titles), "content": {JSON_TYPE: {"schema": schema}}}


def _picture(description: str, kinds: Iterable[str]) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {
            name: {"description": text, "schema": {"type": _kind(name)}}
            for name, text in HEADERS.items()
        },
        "content": {kind: {} for kind in (*kinds, JSON_TYPE)},
    }


def _parameters(name: str) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": _TEXT}]


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


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


def _request(options: dict[str, Any], pictures: Sequence[str]) -> dict[str, Any]:
    encoded = {name: _BASE64 for name in pictures}
    files = {name: _BASE64 if name == BASE64_FIELD else _FILE for name in pictures}
    kinds = {
        # First, since tools offer the first one.
        "multipart/form-data": _object(files | options),
        "image/*": _FILE,
        "application/octet-stream": _FILE,
        JSON_TYPE: _object(encoded | options),
        "text/plain": _BASE64,
        "application/x-www-form-urlencoded": _object({BASE64_FIELD: _BASE64} | options),
    }
    return {"required": True, "content": {kind: {"schema": each} for kind, each in kinds.items()}}


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
