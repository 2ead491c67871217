import time
from pathlib import Path

import pytest

from tests.u2net_cutout.client.failing_server import (
    BAD_KEY,
    CUTOUT,
    PNG,
    WORKER_DIED,
    Said,
    failing_server,
)
from u2net_cutout.client.client import CutoutClient
from u2net_cutout.client.credentials import ApiKey
from u2net_cutout.client.errors import KeyRefused, Refused, ServerAway, ServerUnusable, TryLater
from u2net_cutout.client.settings import connect

BUSY: Said = (503, {}, b'{"code": 503, "message": "has no worker to serve inference request"}')


@pytest.fixture
def client() -> CutoutClient:
    return connect("http://127.0.0.1:9", key="key")


@pytest.mark.parametrize(
    "failure",
    [
        BUSY,
        (507, {}, b"out of memory"),
        (500, {}, WORKER_DIED),
        (429, {}, b'{"errors": [{"code": "rate_limit_exceeded", "title": "Slow down"}]}'),
        None,
    ],
)
def test_a_temporary_failure_is_tried_again(failure: Said | None) -> None:
    with failing_server(failure, CUTOUT) as server, connect(server.url) as client:
        cutout = client.cut_out(b"photo", {})

    assert (cutout.content, cutout.content_type) == (PNG, "image/png")
    assert len(server.asked) == 2


def test_the_pause_is_at_least_retry_after() -> None:
    later: Said = (503, {"Retry-After": "2"}, b"")

    with failing_server(later, CUTOUT) as server, connect(server.url) as client:
        began = time.monotonic()
        client.cut_out(b"photo", {})

    assert time.monotonic() - began >= 2


def test_the_number_of_tries_is_bounded() -> None:
    with (
        failing_server(BUSY) as server,
        connect(server.url, tries=2) as client,
        pytest.raises(TryLater, match="has no worker"),
    ):
        client.cut_out(b"photo", {})

    assert len(server.asked) == 2


def test_a_picture_that_kills_its_worker_twice_is_not_sent_again() -> None:
    with (
        failing_server((500, {}, WORKER_DIED)) as server,
        connect(server.url) as client,
        pytest.raises(Refused, match="2 times over this picture"),
    ):
        client.cut_out(b"photo", {})

    assert len(server.asked) == 2


def test_a_pause_of_hours_is_an_error_at_once() -> None:
    with (
        failing_server((503, {"Retry-After": "7200"}, b"")) as server,
        connect(server.url) as client,
        pytest.raises(ServerUnusable, match="asks for a pause of 7200 s"),
    ):
        client.cut_out(b"photo", {})

    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (
            (415, {}, b'{"errors": [{"code": "invalid_file_type", "detail": "the file is none"}]}'),
            "invalid_file_type",
            "invalid_file_type: the file is none",
        ),
        ((500, {}, b'{"errors": [{"code": "internal_error"}]}'), "internal_error", "internal"),
        ((413, {}, b""), None, "status 413: "),
        ((400, {}, b"<html>odd</html>"), None, "status 400: <html>odd"),
        ((400, {}, b'{"errors": ["odd"]}'), None, "odd"),
        ((400, {}, b'["odd"]'), None, "odd"),
    ],
)
def test_a_refusal_has_the_servers_words(said: Said, code: str, words: str) -> None:
    with (
        failing_server(said) as server,
        connect(server.url) as client,
        pytest.raises(Refused, match=words) as told,
    ):
        client.cut_out(b"photo", {})

    assert (told.value.status, told.value.code) == (said[0], code)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [404, 405, 302])
def test_a_wrong_address_is_an_error_at_once(status: int) -> None:
    with (
        failing_server((status, {"Location": "/elsewhere"}, b"")) as server,
        connect(server.url) as client,
        pytest.raises(ServerUnusable, match="check the address http"),
    ):
        client.cut_out(b"photo", {})

    assert len(server.asked) == 1


def test_without_a_server_there_is_no_connection(client: CutoutClient) -> None:
    client.stopping.set()  # without further tries

    with pytest.raises(ServerAway, match="no connection to"):
        client.cut_out(b"photo", {})


@pytest.mark.parametrize("refusal", [(400, {}, BAD_KEY), (401, {}, b""), (403, {}, b"")])
def test_an_expired_key_is_renewed(refusal: Said) -> None:
    keys = iter(("old", "new"))

    with (
        failing_server(refusal, CUTOUT) as server,
        connect(server.url, key=ApiKey(lambda: next(keys))) as client,
    ):
        client.cut_out(b"photo", {})

    assert [asked["Authorization"] for asked in server.asked] == ["Bearer old", "Bearer new"]


def test_a_wrong_key_is_an_error() -> None:
    with (
        failing_server((403, {}, b"")) as server,
        connect(f"{server.url}/v1.0/removebg", key="wrong") as client,
        pytest.raises(KeyRefused, match="U2NET_KEY"),
    ):
        client.cut_out(b"photo", {})

    assert [asked["X-Api-Key"] for asked in server.asked] == ["wrong"]


@pytest.mark.parametrize("refusal", [(400, {}, BAD_KEY), (401, {}, b""), (403, {}, b"")])
def test_a_renewed_key_that_is_refused_too_is_an_error(refusal: Said) -> None:
    keys = iter(("old", "new", "newer"))

    with (
        failing_server(refusal) as server,
        connect(server.url, key=ApiKey(lambda: next(keys))) as client,
        pytest.raises(KeyRefused, match="U2NET_KEY"),
    ):
        client.cut_out(b"photo", {})

    assert [asked["Authorization"] for asked in server.asked] == ["Bearer old", "Bearer new"]


def test_a_gateway_gets_what_removebgs_clients_send() -> None:
    with (
        failing_server(CUTOUT) as server,
        connect(server.url, key="key", api="removebg") as client,
    ):
        client.cut_out(b"photo", {"size": "preview", "format": "png"}, b"background")

    ((path, body),) = server.sent
    (asked,) = server.asked
    assert (path, asked["X-Api-Key"]) == ("/v1.0/removebg", "key")
    assert asked["Content-Type"].startswith("multipart/form-data; boundary=")
    for field in (
        b'name="size"\r\n\r\npreview\r\n',
        b'name="format"\r\n\r\npng\r\n',
        b'name="image_file"; filename="picture"\r\n\r\nphoto\r\n',
        b'name="bg_image_file"; filename="background"\r\n\r\nbackground\r\n',
    ):
        assert field in body


def test_a_password_for_other_programs_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    with failing_server(CUTOUT) as server, connect(server.url, key="key") as client:
        client._session.trust_env = True  # as for servers elsewhere
        client.cut_out(b"photo", {})

    assert server.asked[0]["Authorization"] == "Bearer key"


def test_this_machine_is_reached_past_any_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    with failing_server(CUTOUT) as server, connect(server.url) as client:
        assert client.cut_out(b"photo", {}).content == PNG
