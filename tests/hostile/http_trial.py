"""Sends one request over a connection of its own, and checks the response."""

import json
import socket
import time
from contextlib import suppress
from http.client import HTTPException, HTTPResponse

from tests.hostile.http.message import Message
from tests.hostile.trial import DONE, Outcome

TIMEOUT_S = 90
# How long to wait for a response that is not due.
GRACE_S = 1
# Messages of TorchServe's front end where a worker failed, not the request.
WORKERS_FAULT = (
    *("Worker died", "Prediction failed", "number of batch response", "Invalid model predict"),
    *("Out of resources", "Unsupported model output", "Failed to invoke", "has no worker"),
)
NO_RESPONSE, HUNG_UP = "no response", "connection closed"


def send(position: int, message: Message, address: tuple[str, int]) -> Outcome:
    """Send a request, read the response and check it."""
    start = time.monotonic()
    try:
        with socket.create_connection(address, timeout=TIMEOUT_S) as connection:
            _write(connection, message)
            if not message.response_due:
                connection.settimeout(GRACE_S)
            response = HTTPResponse(connection, method=message.method)
            response.begin()
            body = response.read()
            result, fault = judge(response.status, body)
    except (OSError, HTTPException) as error:
        result, fault = HUNG_UP, ""
        if message.response_due:
            result, fault = NO_RESPONSE, f"{NO_RESPONSE}: {error!r}"
    return Outcome(position, message.name, result, time.monotonic() - start, 0, fault)


def _write(connection: socket.socket, message: Message) -> None:
    # A server that refuses early closes the connection before all is sent; it may have responded.
    with suppress(BrokenPipeError, ConnectionResetError):
        for number, piece in enumerate(message.pieces):
            if number:
                time.sleep(message.pause_s)
            connection.sendall(piece)


def judge(status: int, body: bytes) -> tuple[str, str]:
    """Return the kind of a response, and its fault, or "".

    A 500 in TorchServe's own JSON, for a form that its front end can't parse, is none: no worker
    got the request.
    """
    try:
        error = json.loads(body)
    except ValueError:
        error = None
    if isinstance(error, dict) and "errors" in error:
        code = str(error["errors"][0]["code"])
        return f"{status} {code}", code if status >= 500 else ""
    if isinstance(error, dict) and {"code", "type", "message"} <= set(error):
        words = f"{error['type']}: {error['message']}"
        by_worker = any(each in words for each in WORKERS_FAULT)
        if status >= 500 and by_worker:
            return f"{status} of a worker", words
        return f"{status} of TorchServe's front end: {error['type']}", ""
    if status >= 500:
        return f"{status}", body[:200].decode(errors="replace")
    return (DONE if status == 200 else str(status)), ""
