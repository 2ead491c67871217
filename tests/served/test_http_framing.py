"""Requests that two programs could read differently: what TorchServe's netty 4.1.53 makes of them.

It is lenient where later versions are not. Alone that gives nobody anything: each request that it
finds needs a token of its own. Behind a proxy it could, so the proxy must send requests that it has
written itself; SECURITY.md says how.
"""

import re
import socket

import pytest

from scripts.common.http import local_session
from scripts.torchserve.binding import HOST
from tests.served.conftest import Served
from tests.served.test_tokens import bearer

STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d+) ")
PNG = "Content-Type: image/png"
# What would be smuggled: nobody's token goes with it.
SMUGGLED = b"GET /ping HTTP/1.1\r\nHost: smuggled\r\nConnection: close\r\n\r\n"


@pytest.fixture(autouse=True)
def no_worker_dies(served: Served) -> object:
    before = served.worker_pids()
    yield
    assert served.worker_pids() == before


def exchange(
    served: Served, content: bytes, answers: int | None = None, silence_s: float = 30
) -> tuple[list[int], bytes]:
    """Send bytes, and return the statuses of all answers and the bytes that came back.

    Reading ends with so many answers, or when the server closes the connection, or is silent for
    so long.
    """
    received = b""
    with socket.create_connection((HOST, served.config.port), timeout=silence_s) as connection:
        try:
            connection.sendall(content)
            while chunk := connection.recv(65536):
                received += chunk
                if len(STATUS_LINE.findall(received)) == answers:
                    break
        except (TimeoutError, ConnectionError):
            pass
    return [int(status) for status in STATUS_LINE.findall(received)], received


def post(served: Served, *headers: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """Write a request for a prediction, with a valid token, as it is told."""
    lines = (
        f"POST /predictions/u2netp HTTP/{version}",
        *("Host: test", f"Authorization: Bearer {served.api.token('inference')}", PNG, *headers),
    )
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 1", "Content-Length: 1"),
        ("Content-Length: 1", f"Content-Length: {len(SMUGGLED) + 1}"),
        (f"Content-Length: {len(SMUGGLED) + 1}", "Content-Length: 1"),
        ("Content-Length: 1, 1",),
        ("Content-Length: 0x1",),
        ("Content-Length: 99999999999999999999",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding:\x0bchunked",),
        ("X-Any: a\rTransfer-Encoding: chunked",),
        ("X-Any: a\0b",),
        (f"X-Long: {'a' * 20_000}",),
        tuple(f"X-{number}: {'a' * 50}" for number in range(1000)),
    ],
    ids=lambda headers: headers[-1][:40].encode("unicode_escape").decode(),
)
def test_malformed_requests_are_refused_and_the_connection_closed(
    served: Served, headers: tuple[str, ...]
) -> None:
    statuses, received = exchange(served, post(served, *headers, body=b"0" + SMUGGLED))

    assert statuses == [400]
    assert b"Invalid HTTP message" in received


def test_a_long_request_line_is_refused(served: Served) -> None:
    statuses, _ = exchange(served, b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: test\r\n\r\n")

    assert statuses == [400]


@pytest.mark.parametrize("length", [50_331_649, 2**40])
def test_a_body_beyond_the_limit_is_refused_before_it_is_sent(served: Served, length: int) -> None:
    statuses, _ = exchange(served, post(served, f"Content-Length: {length}", body=b"x"), answers=1)

    assert statuses == [413]


@pytest.mark.parametrize("chunk", [b"ffffffffffffffff", b"-1", b"0x1", b"x"])
def test_a_chunk_of_no_size_is_answered_by_nothing_good(served: Served, chunk: bytes) -> None:
    body = chunk + b"\r\nx\r\n0\r\n\r\n" + SMUGGLED
    chunked = post(served, "Transfer-Encoding: chunked", body=body)
    statuses, _ = exchange(served, chunked, silence_s=2)

    assert statuses in ([], [400])


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ((f"Content-Length: {5 + len(SMUGGLED)}", "Transfer-Encoding: chunked"), "1.1"),
        ((f"Content-Length: {5 + len(SMUGGLED)}", "Transfer-Encoding: chunked"), "1.0"),
        (("Transfer-Encoding: chunked, identity",), "1.1"),
        (("Transfer-Encoding: xchunked",), "1.1"),
        (("Transfer-Encoding: identity", "Transfer-Encoding: chunked"), "1.1"),
        (("Content-Length: -1",), "1.1"),
        (("X-Any: 1\r\n Content-Length: 50",), "1.1"),
    ],
)
def test_a_second_request_in_ones_body_has_no_token_of_the_first(
    served: Served, headers: tuple[str, ...], version: str
) -> None:
    body = b"0\r\n\r\n" + SMUGGLED
    content = post(served, *headers, body=body, version=version)
    statuses, received = exchange(served, content, silence_s=2)

    assert 200 not in statuses
    assert b"Healthy" not in received


def test_answers_on_one_connection_can_come_in_another_order(served: Served) -> None:
    """Why a proxy must not send a second request before it has the first one's answer."""
    token = served.api.token("inference")
    ping = f"GET /ping HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    statuses, _ = exchange(served, post(served, "Content-Length: 1", body=b"x") + ping, answers=2)

    # An error ends the connection, with the answers that have not been sent.
    assert sorted(statuses) in ([200, 415], [415])


def test_of_two_tokens_the_first_counts(served: Served) -> None:
    right = f"Authorization: Bearer {served.api.token('inference')}"
    wrong = "Authorization: Bearer AAAAAAAA"

    for first, second, expected in ((right, wrong, [200]), (wrong, right, [400])):
        content = f"GET /ping HTTP/1.1\r\nHost: test\r\n{first}\r\n{second}\r\n\r\n"
        assert exchange(served, content.encode(), answers=1)[0] == expected


@pytest.mark.parametrize("line", ["GET http://{management}/models HTTP/1.1", "OPTIONS * HTTP/1.1"])
def test_the_inference_port_is_no_proxy(served: Served, line: str) -> None:
    management = served.config.management_address.removeprefix("http://")
    token = served.api.token("management")
    content = (
        f"{line.format(management=management)}\r\nHost: {management}\r\n"
        f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )

    assert exchange(served, content.encode())[0] == [400]


@pytest.mark.parametrize("preface", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00"])
def test_no_other_protocol_is_spoken(served: Served, preface: bytes) -> None:
    statuses, _ = exchange(served, preface + b"\r\n\r\n", silence_s=2)

    assert set(statuses) <= {400}


@pytest.mark.parametrize(
    "override",
    [
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-HTTP-Method": "DELETE"},
        {"X-Method-Override": "DELETE"},
    ],
)
def test_no_header_changes_the_method(served: Served, override: dict[str, str]) -> None:
    headers = override | bearer(served.api.token("management"))
    address = f"{served.config.management_address}/models/u2netp/1.0"

    for query in ("", "?_method=DELETE"):
        answer = local_session().get(f"{address}{query}", headers=headers, timeout=60)
        assert answer.json()[0]["modelName"] == "u2netp"
    assert local_session().post(address, headers=headers, timeout=60).status_code == 405
    assert served.api.find("u2netp", "1.0")


@pytest.mark.parametrize("header", ["describe", "explain", "Describe", "url_path", "x-request-id"])
def test_no_header_makes_another_request_of_it(served: Served, header: str) -> None:
    plain = served.ask(data=b"no picture", headers={"Content-Type": "image/png"})

    answer = served.ask(data=b"no picture", headers={header: "True", "Content-Type": "image/png"})

    assert (answer.status_code, answer.content) == (plain.status_code, plain.content)
    assert answer.status_code == 415
