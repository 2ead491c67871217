"""Responses that no good server sends: each is an error of the client's own."""

import gzip
import json
import zlib
from collections.abc import Callable

import pytest

from tests.u2net_cutout.client.failing_server import (
    PNG,
    Said,
    failing_server,
    picture,
    raw_server,
    responding,
)
from u2net_cutout.client import responses
from u2net_cutout.client.errors import BadResponse, ClientError, Refused, ServerUnusable, TryLater
from u2net_cutout.client.settings import connect

IMAGE = {"Content-Type": "image/png"}
RAW = {"Content-Type": "application/octet-stream"}
JPEG = picture("JPEG")


def cut_out(said: Said, **options: str) -> bytes:
    with failing_server(said) as server, connect(server.url, tries=1) as client:
        return client.cut_out(b"photo", options or {"format": "png"}).content


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ((200, IMAGE, b""), "it is empty"),
        ((200, {"Content-Type": "image/jpeg"}, JPEG), "is not png: its type is image/jpeg"),
        ((200, IMAGE, JPEG), "begins as another kind"),
        ((200, IMAGE, PNG[:-1]), "cut short"),
        ((200, {}, PNG), "its type is missing"),
        ((200, {"Content-Type": "text/html"}, b"<html>Log in"), "its type is text/html"),
        ((200, {"Content-Type": "\x1b[2J"}, b"x"), r"its type is \\x1b\[2j"),
    ],
)
def test_success_without_the_cutout_is_an_error(said: Said, words: str) -> None:
    with pytest.raises(BadResponse, match=words):
        cut_out(said)


def test_auto_is_png_or_jpeg() -> None:
    assert cut_out((200, IMAGE, PNG), format="auto") == PNG
    assert cut_out((200, {"Content-Type": "image/jpeg"}, JPEG), format="auto") == JPEG
    with pytest.raises(BadResponse, match="is not auto"):
        cut_out((200, {"Content-Type": "image/webp"}, picture("WEBP")), format="auto")


def test_raw_pixels_are_as_many_as_the_server_counts() -> None:
    sides = {"X-Width": "4", "X-Height": "3"}

    assert len(cut_out((200, RAW | sides, bytes(48)), format="rgba")) == 48
    assert len(cut_out((200, RAW, bytes(47)), format="rgba")) == 47
    with pytest.raises(BadResponse, match="47 bytes for 12 pixels"):
        cut_out((200, RAW | sides, bytes(47)), format="rgba")


def test_a_response_that_ends_before_its_length_is_tried_again_and_then_an_error() -> None:
    with pytest.raises(TryLater, match="broke off"):
        cut_out((200, IMAGE | {"Content-Length": "1000"}, PNG))


def test_52_megapixels_of_raw_pixels_are_taken() -> None:
    pixels = bytes(52_000_000 * 4)

    assert cut_out((200, RAW, pixels), format="rgba") == pixels


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress)],
)
def test_compressed_responses_are_taken(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    assert cut_out((200, IMAGE | {"Content-Encoding": encoding}, compress(PNG))) == PNG


def test_what_is_compressed_and_broken_is_an_error() -> None:
    with pytest.raises(BadResponse, match="is broken"):
        cut_out((200, IMAGE | {"Content-Encoding": "gzip"}, b"no gzip"))


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_a_response_has_a_bound_however_it_is_compressed(
    layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "MAX_CUTOUT_BYTES", 8 << 20)
    bomb = bytes(256 << 20)
    for _ in range(layers):
        bomb = gzip.compress(bomb, 1)
    encoding = {"Content-Encoding": ", ".join(["gzip"] * layers)}

    with pytest.raises(BadResponse, match="more than 8 MiB"):
        cut_out((200, RAW | encoding, bomb), format="rgba")


def test_an_error_is_read_no_further_than_its_words() -> None:
    body = gzip.compress(b'{"message": "odd", "rest": "' + b" " * (256 << 20) + b'"}', 1)

    with pytest.raises(Refused, match=r'status 400: \{"message'):
        cut_out((400, {"Content-Encoding": "gzip"}, body))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b"[" * 900 + b"]" * 900,
        b'{"message": ' * 900 + b"1" + b"}" * 900,
        b"9" * 5000,
        b'"\xff\xfe"',
        b"\xff" * 100,
        b'"\\ud800"',
        b"null",
        b"NaN",
        b"[]",
        b"{}",
        b'{"errors": []}',
        b'{"errors": {}}',
        b'{"errors": 1}',
        b'{"errors": [[]]}',
        b'{"errors": [{}]}',
        b'{"errors": [{"code": {}, "title": [], "detail": 0}]}',
        b'{"errors": [{"code": 7, "detail": {"a": ["b"]}}]}',
        b'{"message": {"a": 1}}',
        json.dumps({"errors": [{"code": "c" * 50_000, "detail": "d" * 9000}]}).encode(),
        b"",
    ],
)
@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_any_body_of_an_error_becomes_a_short_message(status: int, body: bytes) -> None:
    with pytest.raises(ClientError) as raised:
        cut_out((status, {"Content-Type": "text/plain; charset=idna"}, body))

    assert 0 < len(str(raised.value)) < 4000
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "text",
    ["\x1b[2J\x1b]0;title\x07", "one\ntwo\r\nthree", "\u202eevil\u2066", "\x9b31m", "\0\b\x7f"],
)
def test_characters_that_steer_a_terminal_are_escaped(text: str) -> None:
    bodies = [
        json.dumps({"errors": [{"code": text, "detail": text}]}).encode(),
        json.dumps({"message": text}).encode(),
        f"a{text}z".encode(),
    ]
    for body in bodies:
        with pytest.raises(Refused) as raised:
            cut_out((400, {}, body))
        assert str(raised.value).isprintable()
        assert "\\" in str(raised.value)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 400 \x1b[31mBad\r\n\r\n",
        b"\x1b[31mHTTP/1.1\r\n\r\n",
        b"HTTP/1.1 999999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nLong: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\x1b[2J\r\nContent-Type: image/png\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\x1b[2J\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 100_000,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
        b"HTTP/1.1 503 x\r\nRetry-After: \x1b[2J\r\n\r\n",
        b"HTTP/1.1 302 x\r\nLocation: http://[\r\n\r\n",
        b"HTTP/1.1 302 x\r\nLocation: \xff\xfe\x1b\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 204 None\r\n\r\n",
        b"",
    ],
)
def test_any_head_of_a_response_becomes_an_error(
    head: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        raw_server(responding(head)) as server,
        connect(server.url, tries=1) as client,
        pytest.raises(ClientError) as raised,
    ):
        client.cut_out(b"photo", {"format": "png"})

    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 1000
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "value",
    [
        "9" * 5000,
        "Fri, 31 Dec 9999999999 23:59:59 GMT",
        "Fri, 31 Dec 2100 99:99:99 +999999999999",
        "-5",
        "soon",
        "",
    ],
)
def test_any_retry_after_is_a_pause_or_none(value: str) -> None:
    with pytest.raises((TryLater, ServerUnusable)):
        cut_out((503, {"Retry-After": value}, b""))


def test_the_body_of_a_redirect_has_the_bound_of_errors() -> None:
    bomb = gzip.compress(bytes(256 << 20), 1)

    with pytest.raises(ServerUnusable, match="check the address") as raised:
        cut_out((302, {"Location": "/elsewhere", "Content-Encoding": "gzip"}, bomb))
    assert len(str(raised.value)) < 4000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_never_takes_the_key_elsewhere(status: int) -> None:
    with (
        failing_server((200, IMAGE, PNG)) as other,
        failing_server((status, {"Location": f"{other.url}/predictions/u2net"}, b"")) as server,
        connect(server.url, key="key") as client,
        pytest.raises(ServerUnusable, match="check the address"),
    ):
        client.cut_out(b"photo", {})

    assert not other.asked
    assert len(server.asked) == 1
