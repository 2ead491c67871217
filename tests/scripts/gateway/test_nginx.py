"""nginx: how it is found, and what it does without a server behind it; tests/served has one."""

import dataclasses
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.common.paths import ROOT
from scripts.gateway.config import GatewayConfig
from scripts.gateway.nginx import MODULES, GatewayProcess, Nginx
from scripts.torchserve.config import ServerError
from tests.scripts.gateway.conftest import LoneGateway, fill, lone_gateway, small_disk

UNFINISHED = 5000


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that says of itself what Debian's nginx says, with modules in its own folder."""
    path = tmp_path / "nginx"
    path.write_text(
        "#!/bin/sh\n"
        f"echo 'configure arguments: --conf-path=/etc/x/nginx.conf --modules-path={tmp_path}' >&2\n"
    )
    path.chmod(0o755)
    return path


def test_without_nginx_the_packages_are_named(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"not installed: apt-get install nginx libnginx"):
        Nginx.find(str(tmp_path))


def test_without_a_module_its_package_is_named(program: Path) -> None:
    (program.parent / MODULES[0]).touch()
    (program.parent / MODULES[2]).touch()

    with pytest.raises(ServerError, match=r"headers_more.*apt-get install libnginx-mod-http-js"):
        Nginx.find(str(program.parent))


def test_nginx_tells_where_its_files_are(program: Path) -> None:
    for module in MODULES:
        (program.parent / module).touch()

    found = Nginx.find(str(program.parent))

    assert found == Nginx(program, program.parent, Path("/etc/x/mime.types"))


def test_a_process_of_somebody_else_is_not_ours_and_its_number_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "nginx.pid").write_text(str(os.getpid()))
    process = GatewayProcess(GatewayConfig(tmp_path, "u2net"))

    assert process.find() is None
    assert not process.stop()
    assert not (tmp_path / "nginx.pid").exists()


def status_from(address: str, lone: LoneGateway, *more: str) -> str:
    """Ask for the page from another address of this machine; "000" is no response."""
    told = ["-o", os.devnull, "-w", "%{http_code}", "-m", "20", "--interface", address]
    command = ["curl", "--noproxy", "*", "-s", *told, *more, lone.public.url]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_unfinished_heads_from_one_address_leave_room_for_others(lone: LoneGateway) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < UNFINISHED + 1000:
        pytest.skip(f"this machine lets a process open {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with ExitStack() as stack:
            for _ in range(UNFINISHED):
                client = stack.enter_context(lone.connect())
                try:
                    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-")
                except ConnectionError:
                    continue  # beyond what one address may have
            others = [status_from(f"127.0.0.{host}", lone) for host in (2, 3, 4)]
            same = status_from("127.0.0.1", lone)
        later = status_from("127.0.0.1", lone, "--retry", "20", "--retry-all-errors")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert others == ["200"] * 3
    assert (same, later[-3:]) == ("000", "200")
    # The refused connections do not fill the log.
    assert "limiting connections" not in lone.config.log.read_text()


def test_where_few_files_may_be_opened_it_starts_and_says_so(short_folder: Path) -> None:
    lone = lone_gateway(short_folder)
    command = [sys.executable, "-m", "scripts", "gateway", "--build", str(short_folder)]
    limited = ["sh", "-c", 'ulimit -n 1024 && exec "$@"', "sh", *command]
    try:
        started = subprocess.run(
            [*limited, "--listen", lone.public.listen],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        page = lone.request("/")
    finally:
        lone.process.stop()

    assert (started.returncode, page.status_code) == (0, 200)
    assert "1024 files here, so an address has 64 connections" in started.stderr


def test_the_log_has_the_address_of_the_client(lone: LoneGateway) -> None:
    status_from("127.0.0.7", lone)

    log = lone.config.folder / "access.log"
    while not log.read_text():  # it is written after the response
        time.sleep(0.05)
    assert log.read_text().startswith("127.0.0.7 ")


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: br\r\n", 501, "not_supported"),
        ("GET / HTTP/3.1\r\nHost: x\r\n", 505, "not_supported"),
        ("GET / HTTP/1.1\r\nHost: x\r\nIf-Match: none\r\n", 412, "condition_failed"),
        ("GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=999999-\r\n", 416, "condition_failed"),
        ("GET /healthz HTTP/1.1\r\nHost: x\r\nIf-Match: none\r\n", 503, "unavailable"),
        ("TRACE / HTTP/1.1\r\nHost: x\r\n", 405, "method_not_allowed"),
        ("GET / HTTP/1.1\r\n", 400, "bad_request"),
        ("nonsense\r\n", 400, "bad_request"),
    ],
)
def test_errors_of_http_have_the_contracts_form(
    lone: LoneGateway, head: str, status: int, code: str
) -> None:
    with lone.connect() as client:
        client.sendall(f"{head}Connection: close\r\n\r\n".encode())
        response = b"".join(iter(lambda: client.recv(1 << 16), b"")).decode()
    fields, _, body = response.partition("\r\n\r\n")

    assert fields.startswith(f"HTTP/1.1 {status} ")
    assert f"X-Error-Code: {code}" in fields
    assert body.startswith('{"errors": [{"title": ')
    assert f'"code": "{code}"' in body


def test_without_a_server_health_and_predictions_say_that_none_is_ready(lone: LoneGateway) -> None:
    responses = [
        lone.request("/healthz"),
        lone.request("/v1.0/removebg", "alices-key", method="POST", data=b"photo"),
    ]

    for response in responses:
        assert response.status_code == 503
        assert response.json()["errors"][0]["code"] == "unavailable"
        assert int(response.headers["Retry-After"]) > 0


def test_after_a_reload_every_request_sees_the_new_settings(lone: LoneGateway) -> None:
    for rate in range(100, 110):
        public = dataclasses.replace(lone.public, rate=rate)
        config = dataclasses.replace(lone.config, public=public)
        GatewayProcess(config).start()
        response = lone.request("/v1.0/removebg", "alices-key", method="POST", data=b"photo")

        assert response.headers["X-RateLimit-Limit"] == str(rate)


def test_a_running_gateway_says_that_its_own_address_is_in_the_way(lone: LoneGateway) -> None:
    port = lone.public.listen.split(":")[1]
    public = dataclasses.replace(lone.public, listen=f"0.0.0.0:{port}")

    with pytest.raises(ServerError, match=f"0.0.0.0:{port} overlaps .*: make gateway-stop first"):
        GatewayProcess(dataclasses.replace(lone.config, public=public)).start()

    assert lone.request("/").status_code == 200


@pytest.fixture
def full(short_folder: Path) -> Iterator[LoneGateway]:
    """A gateway whose folder is full."""
    lone = lone_gateway(short_folder)
    with small_disk(lone.config.folder):
        lone.write_keys("alice alices-key")
        lone.process.start()
        try:
            fill(lone.config.folder)
            yield lone
        finally:
            lone.process.stop()


def test_a_request_whose_client_sends_no_more_is_closed(lone: LoneGateway) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n"
    body = head.replace(b"GET /", b"PUT /v1.0/removebg")
    body += b"X-Api-Key: alices-key\r\nContent-Length: 9\r\n\r\nhalf"
    with lone.connect() as first, lone.connect() as second:
        for client, part in ((first, head), (second, body)):
            client.settimeout(120)
            client.sendall(part)

        assert (first.recv(1 << 16), second.recv(1 << 16)) == (b"", b"")


def test_a_large_request_on_a_full_disk_gets_an_error_of_the_contracts_form(
    full: LoneGateway,
) -> None:
    refused = full.request("/v1.0/removebg", "alices-key", method="POST", data=bytes(1 << 20))

    assert refused.status_code == 500
    assert refused.json()["errors"][0]["code"] == "internal_error"


def test_a_full_disk_costs_counts_but_no_response(full: LoneGateway) -> None:
    account = [full.request(key=key).status_code for key in ("alices-key", "wrong")]
    prediction = full.request("/v1.0/removebg", "alices-key", method="POST", data=b"photo")
    health = full.request("/healthz")

    assert account == [200, 403]
    assert [prediction.status_code, health.status_code] == [503, 503]
    for response in (prediction, health):
        assert response.json()["errors"][0]["code"] == "unavailable"
