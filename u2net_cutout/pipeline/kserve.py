"""KServe's protocols, as TorchServe's envelopes hand them over: items in, JSON values out.

With ``service_envelope=kserve`` (protocol v1) a handler gets the list under ``instances``, with
``kservev2`` the list under ``inputs``, in place of a batch; what it returns is put into JSON, an
entry for each item. An envelope takes only the first request of a batch, so that there is one.
https://kserve.github.io/website/docs/concepts/architecture/data-plane
"""

import json
from collections.abc import Container, Mapping, Sequence
from enum import StrEnum

from u2net_cutout.contract.errors import (
    CutoutError,
    InvalidJson,
    MissingSource,
    ResponseTooLarge,
    TooManyItems,
)
from u2net_cutout.contract.formats import JSON_TYPE
from u2net_cutout.pipeline.response import Response, error_response

Row = Mapping[str, object]

# TensorFlow Serving's way to say base64, which protocol v1 took over.
BASE64_KEY = "b64"
SPACE_AROUND = 1024


class KServeProtocol(StrEnum):
    """A protocol, by the name of its envelope."""

    V1 = "kserve"
    V2 = "kservev2"

    def rows(self, items: object, max_items: int) -> list[Row | CutoutError]:
        """Return the items of a request as rows of a batch, or what is wrong with them.

        Never empty, because an envelope has no response to an empty list. More than `max_items` are
        one error.
        """
        row = _instance_row if self is KServeProtocol.V1 else _input_row
        if not isinstance(items, list) or not items:
            return [MissingSource(f"send pictures as a list in {self.list_name}")]
        if len(items) > max_items:
            detail = f"{self.list_name} has {len(items)} pictures; the limit is {max_items}"
            return [TooManyItems(detail)]
        return [row(item) for item in items]

    @property
    def list_name(self) -> str:
        """What a request's list of pictures is called."""
        return "instances" if self is KServeProtocol.V1 else "inputs"

    def output(self, response: Response) -> object:
        """Return an item's response as the value that goes into KServe's.

        v1: the object of a response in JSON, ``{"data": ...}`` or ``{"errors": ...}``. v2, whose
        outputs are tensors of one type: the cutout's base64, or the JSON text of its errors.
        """
        if self is KServeProtocol.V1:
            return json.loads(response.body)
        if response.failed:
            return response.body.decode()
        return json.loads(response.body)["data"]["result_b64"]


def active_protocol(modules: Container[str]) -> KServeProtocol | None:
    """Return the protocol whose envelope is among the imported `modules`; None without one.

    TorchServe names no envelope to a handler; but it imports the one that it uses, for all models
    and before any is initialized, and no other.
    """
    package = "ts.torch_handler.request_envelope"
    return next((each for each in KServeProtocol if f"{package}.{each}" in modules), None)


def item_headers(headers: Mapping[str, object]) -> dict[str, object]:
    """Return the request's headers as those of each item, whose response has to be JSON.

    The content type is that of the whole.
    """
    kept = {
        name: value
        for name, value in headers.items()
        if name.lower() not in ("accept", "content-type")
    }
    return {**kept, "Accept": JSON_TYPE}


def fitting(responses: Sequence[Response], max_response_bytes: int) -> Sequence[Response]:
    """Return the responses; if TorchServe would not carry them in one, errors that say so.

    TorchServe kills the worker over a response above its ``max_response_size``.
    """
    # It puts blanks and line breaks around each value.
    size = sum(len(response.body) + SPACE_AROUND for response in responses)
    if size <= max_response_bytes:
        return responses
    error = ResponseTooLarge(
        f"together the responses would have {size} bytes; the limit is {max_response_bytes}: send "
        "fewer pictures at once"
    )
    return [error_response(error)] * len(responses)


def overall(responses: Sequence[Response]) -> tuple[int, str]:
    """Return status and phrase of the one response: 200 unless every item failed."""
    if responses and all(response.failed for response in responses):
        return responses[0].status, responses[0].phrase
    return 200, "OK"


def _instance_row(item: object) -> Row:
    if not isinstance(item, Mapping):
        return {"body": item}
    return {
        ("data" if name == BASE64_KEY else name): _unwrapped(value) for name, value in item.items()
    }


def _unwrapped(value: object) -> object:
    if isinstance(value, Mapping) and set(value) == {BASE64_KEY}:
        return value[BASE64_KEY]
    return value


def _input_row(item: object) -> Row | CutoutError:
    if not isinstance(item, Mapping) or item.get("datatype") != "BYTES":
        return InvalidJson("each input must have datatype BYTES and hold a picture's base64")
    parameters = item.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        return InvalidJson("parameters must be an object of options")
    return {**parameters, "data": item.get("data")}
