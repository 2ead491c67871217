"""Servers that would hold a client for longer than its timeout, each read being short."""

import socket
from collections.abc import Callable
from itertools import chain, repeat

import pytest

from tests.u2net_cutout.client.failing_server import (
    PNG,
    dribble,
    failing_server,
    raw_server,
    read_request,
    responding,
)
from u2net_cutout.client import client as client_module
from u2net_cutout.client.errors import TryLater
from u2net_cutout.client.settings import connect

OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
# A hundred of them take ten seconds, twenty times as long as the client waits in these tests.
MANY = 100
TIMEOUT_S = 0.5
LATE = r"no whole response within 0\.5 s"
LARGE = bytes(64 << 20)
"""More than the buffers of both ends of a connection hold."""


def after_request(*parts: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        dribble(connection, chain(parts[:-1], repeat(parts[-1], MANY)))

    return serve


def silent(connection: socket.socket) -> None:
    read_request(connection)
    connection.recv(1)


def not_reading(connection: socket.socket) -> None:
    dribble(connection, repeat(b"", MANY))


@pytest.mark.parametrize(
    "serve",
    [
        pytest.param(after_request(OK + b"Content-Length: 500\r\n\r\n", b"x"), id="body"),
        pytest.param(after_request(OK + b"Connection: close\r\n\r\n", b"x"), id="to-close"),
        pytest.param(
            after_request(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), id="chunks"
        ),
        pytest.param(
            after_request(OK + b"Transfer-Encoding: chunked\r\n\r\n1", b"1"), id="chunk-length"
        ),
        pytest.param(after_request(b"HTTP/1.1 503 Busy\r\n\r\n", b"x"), id="error-body"),
        pytest.param(after_request(OK, b"x"), id="header"),
        pytest.param(after_request(b"H", b"T"), id="status"),
        pytest.param(after_request(b"HTTP/1.1 100 Continue\r\n\r\n"), id="continue"),
        pytest.param(silent, id="silent"),
        pytest.param(not_reading, id="not-reading"),
    ],
)
def test_a_request_ends_at_its_timeout(serve: Callable[[socket.socket], None]) -> None:
    with (
        raw_server(serve) as server,
        connect(server.url, timeout_s=TIMEOUT_S, tries=1) as client,
        pytest.raises(TryLater, match=LATE),
    ):
        client.cut_out(LARGE if serve is not_reading else b"photo", {})


def test_so_does_a_handshake() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        dribble(connection, chain([b"\x16\x03\x03\x20\x00"], repeat(b"\x02", MANY)))

    with (
        raw_server(serve) as server,
        connect(server.url.replace("http", "https"), timeout_s=TIMEOUT_S, tries=1) as client,
        pytest.raises(TryLater, match=LATE),
    ):
        client.cut_out(b"photo", {})


def test_so_does_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    serve = after_request(OK + b"Content-Length: 500\r\n\r\n", b"x")
    with raw_server(serve) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        with (
            connect("http://server.test", timeout_s=TIMEOUT_S, tries=1) as client,
            pytest.raises(TryLater, match=LATE),
        ):
            client.cut_out(b"photo", {})


def test_so_does_a_request_on_a_connection_that_was_open() -> None:
    # The first response has to come whole in the time that the second one does not.
    timeout_s = 3.0

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(PNG) + PNG)
        after_request(OK + b"Content-Length: 500\r\n\r\n", b"x")(connection)

    with raw_server(serve) as server, connect(server.url, timeout_s=timeout_s, tries=1) as client:
        assert client.cut_out(b"photo", {}).content == PNG
        with pytest.raises(TryLater, match=r"no whole response within 3 s"):
            client.cut_out(b"photo", {})


def test_each_try_has_the_time_anew() -> None:
    slow = after_request(OK + b"Content-Length: 500\r\n\r\n", b"x")
    quick = responding(OK + b"Content-Length: %d\r\n\r\n" % len(PNG), PNG)
    turns = iter((slow, quick))

    with (
        raw_server(lambda connection: next(turns)(connection)) as server,
        connect(server.url, timeout_s=3, tries=2) as client,
    ):
        assert client.cut_out(b"photo", {}).content == PNG


def test_a_large_picture_may_take_longer_than_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "CONNECT_TIMEOUT_S", 0.5)

    def serve(connection: socket.socket) -> None:
        dribble(connection, repeat(b"", 10))
        responding(OK + b"Content-Length: %d\r\n\r\n" % len(PNG), PNG)(connection)

    with raw_server(serve) as server, connect(server.url, tries=1) as client:
        assert client.cut_out(LARGE, {}).content == PNG


def test_a_response_in_time_is_left_alone() -> None:
    said = (200, {"Content-Type": "image/png"}, PNG)
    with failing_server(said) as server, connect(server.url, timeout_s=60) as client:
        assert [client.cut_out(b"photo", {}).content for _ in range(3)] == [PNG] * 3
