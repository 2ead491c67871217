import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from tests.hostile.http.message import Message
from tests.hostile.http_trial import HUNG_UP, NO_RESPONSE, judge, send
from tests.hostile.trial import DONE


@contextmanager
def server_that_sends(answer: bytes) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        yield listening.getsockname()
        thread.join()


def torchserves(status: int, kind: str, message: str) -> tuple[int, bytes]:
    return status, json.dumps({"code": status, "type": kind, "message": message}).encode()


def ours(status: int, code: str) -> tuple[int, bytes]:
    return status, json.dumps({"errors": [{"code": code}]}).encode()


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ((200, b"\x89PNG"), DONE),
        ((413, b""), "413"),
        (ours(400, "invalid_json"), "400 invalid_json"),
        (torchserves(404, "ModelNotFoundException", "?"), "404 of TorchServe's front end: Model"),
        (
            torchserves(500, "ErrorDataDecoderException", "Bad end of line"),
            "500 of TorchServe's front end: ErrorData",
        ),
    ],
)
def test_a_refusal_is_no_fault(answer: tuple[int, bytes], result: str) -> None:
    found, fault = judge(*answer)

    assert found.startswith(result)
    assert not fault


@pytest.mark.parametrize(
    "answer",
    [
        ours(500, "internal_error"),
        torchserves(500, "InternalServerException", "Worker died."),
        torchserves(503, "InternalServerException", "Prediction failed"),
        torchserves(507, "InternalServerException", "Out of resources"),
        (502, b"<html>"),
    ],
)
def test_a_failure_of_the_handler_or_a_worker_is_a_fault(answer: tuple[int, bytes]) -> None:
    assert judge(*answer)[1]


def test_a_response_is_read_over_a_bare_socket() -> None:
    with server_that_sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx") as address:
        outcome = send(3, Message("whole", [b"GET / HTTP/1.1\r\n", b"\r\n"]), address)

    assert (outcome.position, outcome.result, outcome.fault) == (3, DONE, "")


@pytest.mark.parametrize(("due", "result"), [(True, NO_RESPONSE), (False, HUNG_UP)])
def test_only_a_response_that_is_due_can_be_missing(due: bool, result: str) -> None:
    with server_that_sends(b"") as address:
        outcome = send(0, Message("cut", [b"GET"], response_due=due), address)

    assert (outcome.result, bool(outcome.fault)) == (result, due)
