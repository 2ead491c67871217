"""Sends one request over a connection of its own, and says what came back."""

import json
import socket
import time
from contextlib import suppress
from http.client import HTTPException, HTTPResponse

from tests.hostile.http.message import Message
from tests.hostile.trial import DONE, Outcome

TIMEOUT_S = 90
# How long to wait for what need not come.
GRACE_S = 1
# What TorchServe's front end says where a worker, and not the request, is to blame.
WORKERS_FAULT = (
    *("Worker died", "Prediction failed", "number of batch response", "Invalid model predict"),
    *("Out of resources", "Unsupported model output", "Failed to invoke", "has no worker"),
)
NO_ANSWER, HUNG_UP = "no answer", "hung up on"


def send(position: int, message: Message, address: tuple[str, int]) -> Outcome:
    """Send a request, read the answer and judge it."""
    start = time.monotonic()
    try:
        with socket.create_connection(address, timeout=TIMEOUT_S) as connection:
            _write(connection, message)
            if not message.owed:
                connection.settimeout(GRACE_S)
            response = HTTPResponse(connection, method=message.method)
            response.begin()
            body = response.read()
            result, fault = judge(response.status, body)
    except (OSError, HTTPException) as error:
        result, fault = HUNG_UP, ""
        if message.owed:
            result, fault = NO_ANSWER, f"{NO_ANSWER}: {error!r}"
    return Outcome(position, message.name, result, time.monotonic() - start, 0, fault)


def _write(connection: socket.socket, message: Message) -> None:
    # A server that refuses early hangs up while we still send; its answer may be there already.
    with suppress(BrokenPipeError, ConnectionResetError):
        for number, piece in enumerate(message.pieces):
            if number:
                time.sleep(message.pause_s)
            connection.sendall(piece)


def judge(status: int, body: bytes) -> tuple[str, str]:
    """Return what an answer is, and what is wrong with it.

    A 500 that TorchServe's front end gives by itself, over a form that it can't take apart, is
    told by its own JSON; no worker has seen the request.
    """
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if isinstance(told, dict) and "errors" in told:
        code = str(told["errors"][0]["code"])
        return f"{status} {code}", code if status >= 500 else ""
    if isinstance(told, dict) and {"code", "type", "message"} <= set(told):
        words = f"{told['type']}: {told['message']}"
        by_worker = any(each in words for each in WORKERS_FAULT)
        if status >= 500 and by_worker:
            return f"{status} of a worker", words
        return f"{status} of TorchServe's front end: {told['type']}", ""
    if status >= 500:
        return f"{status}", body[:200].decode(errors="replace")
    return (DONE if status == 200 else str(status)), ""
