"""The gateway in front of a real server: remove.bg's form, keys, limits, one form of errors."""

import base64
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import psutil
import pytest
import requests
from PIL import Image

from scripts.archive.build import build_archive
from scripts.common.http import local_session
from scripts.gateway.config import TEMPLATES, GatewayConfig
from scripts.gateway.nginx import GatewayProcess, Nginx
from scripts.gateway.sides import PrivateSide, PublicSide
from scripts.torchserve.binding import HOST
from scripts.torchserve.config import ServerError
from scripts.torchserve.process import TorchServeProcess
from tests.conftest import ROOT, WHEELS
from tests.scripts.gateway.conftest import fill, small_disk
from tests.served.conftest import (
    ONE_WORKER,
    Gate,
    Served,
    build_folder,
    free_port,
    gate_of,
    make,
    server_in,
)
from tests.served.spellings.refused import refused, unparsed
from tests.served.spellings.sound import sound

CHELSEA = 1
LARGEST_REQUEST = 48 << 20
# Beyond those in progress and those that may wait (job_queue_size).
MORE_THAN_A_QUEUE = 40


def error_of(answer: requests.Response) -> tuple[int, str]:
    """Take the status and the code of an error; everything about it must be the contract's."""
    (error,) = answer.json()["errors"]
    assert set(error) == {"title", "code", "detail"}
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Error-Code"] == error["code"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    return answer.status_code, error["code"]


def management(gate: Gate, path: str, token: str) -> requests.Response:
    return local_session().get(
        f"{gate.served.config.management_address}{path}",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )


@pytest.fixture(scope="session")
def photo(photo_files: list[Path]) -> bytes:
    return photo_files[CHELSEA].read_bytes()


@pytest.fixture(scope="session")
def cutout(gate: Gate, photo: bytes) -> bytes:
    """What remove.bg's address answers to a client that names nothing."""
    answer = gate.ask(files={"image_file": photo})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/png"
    return answer.content


def test_every_way_to_send_a_picture_gives_the_same_cutout(
    gate: Gate, photo: bytes, cutout: bytes
) -> None:
    text = base64.b64encode(photo).decode()

    answers = [
        gate.ask(data=photo, headers={"Content-Type": "image/png"}),
        gate.ask(data=photo, method="PUT"),
        gate.ask(json={"image_file_b64": text}),
        gate.ask(data={"image_file_b64": text, "size": "auto", "format": "auto"}),
        gate.ask("/predictions/u2netp", files={"image": photo}, data={"format": "png"}),
    ]

    assert [answer.content for answer in answers] == [cutout] * len(answers)


def test_the_answer_is_as_large_as_the_picture_unless_a_size_is_asked_for(
    gate: Gate, photo_files: list[Path], cutout: bytes
) -> None:
    large = photo_files[0].read_bytes()

    preview = gate.ask(files={"image_file": large}, data={"size": "preview"})

    with Image.open(photo_files[CHELSEA]) as photo, Image.open(BytesIO(cutout)) as whole:
        assert whole.size == photo.size
    with Image.open(BytesIO(preview.content)) as small:
        assert small.width * small.height <= 250_000


def test_without_transparency_the_answer_is_a_jpeg(gate: Gate, photo: bytes) -> None:
    answer = gate.ask(files={"image_file": photo}, data={"bg_color": "fff"})

    assert answer.headers["Content-Type"] == "image/jpeg"


def test_accept_and_fields_go_before_the_default(gate: Gate, photo: bytes) -> None:
    webp = gate.ask(data=photo, headers={"Accept": "image/webp"})
    archive = gate.ask(files={"image_file": photo}, data={"format": "zip"})

    assert webp.headers["Content-Type"] == "image/webp"
    assert archive.headers["Content-Type"] == "application/zip"


@pytest.mark.parametrize(
    "accept",
    [
        "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        "text/html, image/gif, image/jpeg, */*; q=0.2",
    ],
)
def test_javas_default_loses_no_transparency(
    gate: Gate, photo: bytes, cutout: bytes, accept: str
) -> None:
    answer = gate.ask(files={"image_file": photo}, headers={"Accept": accept})

    assert answer.headers["Content-Type"] == "image/png"
    assert answer.content == cutout


@pytest.mark.parametrize("name", ["Multipart/Form-Data; boundary=----edge", "100-continue"])
def test_spellings_that_torchserve_alone_does_not_know_pass(
    gate: Gate, photo: bytes, cutout: bytes, name: str
) -> None:
    sent = sound(photo)[name]
    host, _, port = gate.url.rpartition("/")[2].partition(":")

    status, _, body = sent.to(host, int(port), "/v1.0/removebg", f"X-Api-Key: {gate.key()}")

    assert (status, body) == (200, cutout)


def test_values_that_ask_for_nothing_are_taken(gate: Gate, photo: bytes, cutout: bytes) -> None:
    nothing = {"add_shadow": "False", "semitransparency": "True", "type": "auto", "crop": "False"}
    names = {"scale": "original", "position": "original", "channels": "rgba", "type_level": "none"}

    answer = gate.ask(files={"image_file": photo}, data={**nothing, **names})

    assert answer.content == cutout


def test_the_head_has_what_remove_bg_tells(gate: Gate, photo: bytes) -> None:
    head = gate.ask(files={"image_file": photo}).headers

    assert (head["X-Credits-Charged"], head["X-Type"]) == ("0", "other")
    assert (head["X-Width"], head["X-Height"]) == ("451", "300")
    assert head["X-RateLimit-Limit"] == "500"
    assert 0 <= int(head["X-RateLimit-Remaining"]) < 500
    # The minute may have ended while the picture was cut out.
    assert -60 <= int(head["X-RateLimit-Reset"]) - time.time() <= 61
    assert head["Cache-Control"] == "no-store"


def test_predictions_keep_their_own_default(gate: Gate, photo: bytes) -> None:
    answer = gate.ask("/predictions/u2netp/1.0", data=photo)
    explanation = gate.ask("/explanations/u2netp", data=photo)

    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert len(answer.content) == 451 * 300 * 4
    assert explanation.headers["Content-Type"] == "image/png"
    assert "X-Type" not in answer.headers


def test_readiness_names_the_models(gate: Gate) -> None:
    answer = gate.ask("/healthz", method="GET", key="").json()

    assert answer.pop("workers") > 0
    assert answer == {"status": "ready", "model": "u2netp", "models": ["u2net", "u2netp"]}


def test_the_address_chooses_the_model(gate: Gate, photo: bytes, cutout: bytes) -> None:
    chosen = gate.ask("/u2net/v1.0/removebg", files={"image_file": photo})
    by_its_name = gate.ask("/predictions/u2net", files={"data": photo}, data={"format": "auto"})
    usual = gate.ask("/u2netp/v1.0/removebg", files={"image_file": photo})

    assert (chosen.status_code, chosen.headers["X-Type"]) == (200, "other")
    assert chosen.content == by_its_name.content != cutout
    assert usual.content == cutout


@pytest.mark.parametrize("path", ["/none/v1.0/removebg", "/predictions/none"])
def test_an_unknown_model_is_told_with_those_that_there_are(
    gate: Gate, photo: bytes, path: str
) -> None:
    answer = gate.ask(path, files={"image_file": photo})

    assert error_of(answer) == (404, "not_found")
    assert answer.json()["errors"][0]["detail"].endswith("; served are: u2net, u2netp")


def test_more_models_than_torchserve_lists_at_once_are_all_known(gate: Gate, photo: bytes) -> None:
    api, archive = gate.served.api, gate.served.config.store / "idle.mar"
    manifest = {"model": {"modelName": "idle", "modelVersion": "1.0", "handler": "handler.py"}}
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
        members.writestr("handler.py", "")
    names = [f"idle{number:03}" for number in range(100)]
    try:
        for name in names:
            idle = {"url": archive.name, "model_name": name, "initial_workers": 0}
            api._manage("POST", "/models", idle)
        time.sleep(1.1)  # they are remembered for a second
        listed = gate.ask("/healthz", method="GET", key="").json()["models"]
        unknown = gate.ask("/none/v1.0/removebg", files={"image_file": photo})
        found = sorted(model["modelName"] for model in api.models())
    finally:
        for name in names:
            api._manage("DELETE", f"/models/{name}/1.0")
        archive.unlink()

    assert listed == found == [*names, "u2net", "u2netp"]
    assert error_of(unknown) == (404, "not_found")
    named = ", ".join(names[:20])
    assert unknown.json()["errors"][0]["detail"].endswith(f"; served are: {named} and 82 more")


@pytest.mark.parametrize("path", ["/v1.0/account", "/u2netp/v1.0/account"])
def test_the_account_has_credits(gate: Gate, path: str) -> None:
    attributes = gate.ask(path, method="GET").json()["data"]["attributes"]

    assert attributes["credits"]["total"] > 0
    assert error_of(gate.ask("/v1.0/account", method="GET", key="")) == (401, "auth_failed")


# What is refused.


@pytest.mark.parametrize("path", ["/v1.0/removebg", "/predictions/u2netp", "/explanations/u2netp"])
def test_nobody_gets_in_without_a_key(gate: Gate, path: str) -> None:
    missing = gate.ask(path, key="", data=b"picture")
    wrong = gate.ask(path, key="guessed", data=b"picture")

    assert error_of(missing) == (401, "auth_failed")
    assert missing.headers["WWW-Authenticate"] == "Bearer"
    assert error_of(wrong) == (403, "auth_failed")


def test_a_key_may_come_as_a_bearer_token(gate: Gate, photo: bytes) -> None:
    head = {"Authorization": f"Bearer {gate.key()}"}

    assert gate.ask("/predictions/u2netp", key="", headers=head, data=photo).status_code == 200


def test_keys_come_and_go_without_a_restart(gate: Gate) -> None:
    key = gate.key("alice")
    before = gate.ask("/v1.0/account", method="GET", key=key).status_code

    keys = gate.folder / "keys"
    kept = [line for line in keys.read_text().splitlines() if not line.startswith("alice ")]
    keys.write_text("\n".join([*kept, ""]))
    time.sleep(1)

    assert before == 200
    assert error_of(gate.ask("/v1.0/account", method="GET", key=key)) == (403, "auth_failed")
    assert keys.stat().st_mode & 0o077 == 0


def test_a_client_over_its_rate_is_told_when_to_come_back(gate: Gate) -> None:
    with (gate.folder / "keys").open("a") as keys:
        keys.write("eager eagers-key 2\n")

    # The minute may end among them, once.
    answers = [gate.ask(key="eagers-key", data={"format": "png"}) for _ in range(5)]
    refused = next(answer for answer in answers if answer.status_code == 429)

    assert error_of(answers[0]) == (400, "missing_source")
    assert error_of(refused) == (429, "rate_limit_exceeded")
    assert refused.headers["X-RateLimit-Limit"] == "2"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert gate.ask(data={"format": "png"}).status_code == 400


def test_a_client_has_so_many_requests_at_once_whatever_else_it_sends(gate: Gate) -> None:
    host, port = gate.url.removeprefix("http://").split(":")
    key = gate.key("crowd")
    with ExitStack() as stack:
        for number in range(PublicSide.connections):
            unfinished = stack.enter_context(socket.create_connection((host, int(port)), 60))
            head = f"PUT /v1.0/removebg HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\n"
            head += f"Authorization: Basic {number}\r\nContent-Length: 9\r\n\r\n"
            unfinished.sendall(head.encode())
        # Until nginx has counted them all.
        for _ in range(100):
            if gate.ask("/v1.0/account", method="GET", key=key).status_code == 429:
                break
            time.sleep(0.1)
        more = [
            gate.ask("/v1.0/account", method="GET", key=key, headers={"Authorization": "Bearer x"}),
            gate.ask(
                "/v1.0/account", method="GET", key="", headers={"Authorization": f"bearer  {key}"}
            ),
        ]
        others = gate.ask("/v1.0/account", method="GET", key="another")

    assert [error_of(answer) for answer in more] == [(429, "rate_limit_exceeded")] * 2
    assert error_of(others) == (403, "auth_failed")


@pytest.mark.parametrize("rate", ["many", "-1", "1e9", "# a remark"])
def test_a_rate_that_is_no_number_opens_nothing(gate: Gate, rate: str) -> None:
    key = f"key-of-{rate.split()[-1]}"
    with (gate.folder / "keys").open("a") as keys:
        keys.write(f"careless {key} {rate}\n")

    assert error_of(gate.ask("/v1.0/account", method="GET", key=key)) == (403, "auth_failed")
    assert "careless is refused: its rate is no number" in (gate.folder / "error.log").read_text()


@pytest.mark.parametrize(("path", "head"), [("/" + "x" * 40_000, ""), ("/", "x" * 40_000)])
def test_a_head_that_is_too_large_is_refused_in_the_same_form(
    gate: Gate, path: str, head: str
) -> None:
    answer = gate.ask(path, method="GET", headers={"X-Large": head})

    assert error_of(answer) == (400, "bad_request")


@pytest.mark.parametrize("path", ["/v1.0/removebg", "/predictions/u2netp"])
def test_options_in_the_address_are_refused_not_dropped(gate: Gate, path: str) -> None:
    assert error_of(gate.ask(f"{path}?format=png", data=b"x")) == (400, "unknown_parameter")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/ping", 404),
        ("GET", "/models", 404),
        ("GET", "/v1.0/unknown", 404),
        ("GET", "/_management/models", 404),
        ("GET", "/_refused/overloaded", 404),
        ("GET", "/predictions/../models", 404),
        ("GET", "/predictions/..%2fmodels", 404),
        ("GET", "/keys", 404),
        ("POST", "/predictions/u2netp/1.0/crop", 404),
        ("POST", "/predictions/u2netp%0a", 404),
        ("POST", "/predictions/u2netp/1.0%0aX", 404),
        ("GET", "/predictions/u2netp", 405),
        ("DELETE", "/v1.0/removebg", 405),
        ("POST", "/", 404),
        ("PUT", "/", 404),
        ("POST", "/healthz", 405),
        ("PUT", "/v1.0/account", 405),
    ],
)
def test_nothing_else_is_served(gate: Gate, method: str, path: str, status: int) -> None:
    request = requests.Request(method, gate.url).prepare()
    request.url = f"{gate.url}{path}"
    request.headers["X-Api-Key"] = gate.key()

    answer = local_session().send(request, timeout=30)

    code = {404: "not_found", 405: "method_not_allowed"}[status]
    assert error_of(answer) == (status, code)


def test_the_handlers_own_errors_pass(gate: Gate, photo: bytes) -> None:
    refusals = [
        gate.ask(data=b"no picture"),
        gate.ask(files={"image_file": photo}, data={"format": "gif"}),
        gate.ask(data={"image_url": "http://example.com/photo.jpg"}),
        gate.ask(data=photo, headers={"Accept": "text/html"}),
        gate.ask(data=b"\0" * (33 << 20)),
    ]

    assert [error_of(answer) for answer in refusals] == [
        (415, "invalid_file_type"),
        (400, "invalid_format"),
        (400, "url_sources_disabled"),
        (406, "not_acceptable"),
        (413, "file_too_large"),
    ]


def test_torchserves_own_errors_are_put_into_the_contracts_words(gate: Gate, photo: bytes) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert error_of(gate.ask("/predictions/u2netp/9.9", data=photo)) == (404, "not_found")
    assert error_of(gate.ask(data=photo, headers=form)) == (400, "invalid_form")


@pytest.mark.parametrize("name", sorted(unparsed(b"x")))
def test_a_form_over_which_torchserve_fails_is_refused_as_such(
    gate: Gate, photo: bytes, name: str
) -> None:
    sent = unparsed(photo)[name]

    answer = gate.ask(data=sent.body, headers={"Content-Type": sent.content_type})

    assert error_of(answer) == (400, "invalid_form")


def test_the_handlers_own_words_on_forms_pass(gate: Gate, photo: bytes) -> None:
    cases = {name: case for name, case in refused(photo).items() if "boundary" in name}

    for sent, expected, reason in cases.values():
        answer = gate.ask(data=sent.body, headers={"Content-Type": sent.content_type})

        assert error_of(answer) == expected
        assert reason in answer.json()["errors"][0]["detail"]


def test_a_compressed_body_is_refused_by_name(gate: Gate, photo: bytes) -> None:
    coding = {"Content-Encoding": "gzip", "Content-Type": "image/png"}

    answer = gate.ask(data=gzip.compress(photo), headers=coding)

    assert error_of(answer) == (415, "unsupported_encoding")


def test_a_request_over_the_limit_is_refused_whether_it_tells_its_size_or_not(gate: Gate) -> None:
    piece = b"\0" * (1 << 20)
    pieces = (piece for _ in range(LARGEST_REQUEST // len(piece) + 1))

    assert error_of(gate.ask(data=piece * 49)) == (413, "file_too_large")
    assert error_of(gate.ask(data=pieces)) == (413, "file_too_large")


@pytest.mark.parametrize("path", ["/healthz", "/v1.0/account"])
def test_what_takes_no_picture_takes_no_body(gate: Gate, path: str) -> None:
    answer = gate.ask(path, method="GET", data=b"\0" * 2048)

    assert error_of(answer) == (413, "file_too_large")


def test_a_browser_may_ask_from_any_page(gate: Gate) -> None:
    asks = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}

    preflight = gate.ask(method="OPTIONS", key="", headers=asks)

    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "X-Api-Key" in preflight.headers["Access-Control-Allow-Headers"]
    assert {"X-Width", "X-Input-Size"} <= set(
        preflight.headers["Access-Control-Expose-Headers"].split(", ")
    )


# What goes on behind it.


def test_a_slow_client_holds_no_worker(gate: Gate, photo: bytes, cutout: bytes) -> None:
    host, port = gate.url.removeprefix("http://").split(":")
    head = f"PUT /v1.0/removebg HTTP/1.1\r\nHost: x\r\nX-Api-Key: {gate.key()}\r\n"
    head += f"Connection: close\r\nContent-Length: {len(photo)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=60) as slow:
        slow.sendall(head.encode() + photo[:5000])

        assert gate.ask(files={"image_file": photo}).content == cutout
        waiting = gate.served.api.describe("u2netp")["jobQueueStatus"]["pendingRequests"]
        slow.sendall(photo[5000:])
        answer = b"".join(iter(lambda: slow.recv(1 << 16), b""))

    assert waiting == 0
    assert answer.endswith(cutout)


def test_tokens_may_be_renewed_at_any_time(gate: Gate, photo: bytes) -> None:
    api_key = json.loads(gate.served.config.key_file.read_text())["API"]["key"]
    done = threading.Event()

    def renew() -> int:
        renewals = 0
        while not done.wait(0.4):
            renewals += management(gate, "/token?type=inference", api_key).ok
        return renewals

    with ThreadPoolExecutor(5) as pool:
        renewed = pool.submit(renew)
        answers = list(pool.map(lambda _: gate.ask(data=photo).status_code, range(8)))
        done.set()

    assert answers == [200] * 8
    assert renewed.result() > 2


@pytest.mark.parametrize("kind", ["inference", "management"])
@pytest.mark.parametrize("seconds", [-5, 5])
def test_a_token_is_renewed_before_it_expires_and_after(
    gate: Gate, photo: bytes, kind: str, seconds: int
) -> None:
    file = gate.served.config.key_file
    keys = json.loads(file.read_text())
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    keys[kind]["expiration time"] = expires.isoformat().replace("+00:00", "123Z")
    file.write_text(json.dumps(keys))
    time.sleep(1)  # for what /healthz remembers

    answer = gate.ask(data=photo) if kind == "inference" else gate.ask("/healthz", method="GET")

    assert answer.status_code == 200
    assert json.loads(file.read_text())[kind]["key"] != keys[kind]["key"]


def test_of_many_requests_after_a_token_has_expired_one_renews_it(gate: Gate) -> None:
    file = gate.served.config.key_file
    keys = json.loads(file.read_text())
    expires = datetime.now(UTC) - timedelta(seconds=1)
    keys["inference"]["expiration time"] = expires.isoformat().replace("+00:00", "123Z")
    file.write_text(json.dumps(keys))
    log = gate.served.config.logs / "access_log.log"
    before = log.read_text().count("/token?type=inference")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: gate.ask(data={"format": "png"}).status_code, range(8)))

    assert answers == [400] * 8
    assert log.read_text().count("/token?type=inference") == before + 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1.0/removebg"), ("POST", "/predictions/u2netp"), ("GET", "/healthz")],
)
def test_while_the_server_drains_clients_are_told_to_come_back(
    gate: Gate, photo: bytes, method: str, path: str
) -> None:
    draining = gate.served.config.key_file.with_name("draining")
    draining.touch()
    try:
        refused = gate.ask(path, method=method, data=photo if method == "POST" else None)
    finally:
        draining.unlink()

    assert error_of(refused) == (503, "unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert gate.ask(path, method=method, data=photo if method == "POST" else None).ok


def test_no_key_is_logged(gate: Gate, cutout: bytes) -> None:
    logged = "".join(file.read_text() for file in gate.folder.glob("*.log"))

    assert f'{HOST} "default"' in logged
    assert gate.key() not in logged


# How it is started.


def curl(*arguments: str) -> str:
    command = ["curl", "--noproxy", "*", "-s", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_with_a_certificate_it_speaks_tls_and_http2(served: Served, tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issue = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    issue += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
    subprocess.run([*issue, "-out", str(certificate)], capture_output=True, check=True)
    config = GatewayConfig(
        tmp_path / "gateway",
        "u2netp",
        PublicSide(f"{HOST}:{served.config.port + 4}", (), str(certificate), str(key)),
        PrivateSide(served.config, "u2netp"),
    )
    try:
        GatewayProcess(config).start()
        assert config.public is not None
        told = (
            "-o",
            os.devnull,
            "-w",
            "%{http_version} %{http_code}",
            "--cacert",
            str(certificate),
        )
        answer = curl("--retry-connrefused", "--retry", "5", *told, f"{config.public.url}/healthz")
    finally:
        GatewayProcess(config).stop()

    assert answer == "2 200"


def test_an_ordinary_user_starts_it(served: Served, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("whoever runs this test is one already")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*nobody, "test", "-r", str(TEMPLATES)], check=False).returncode:
        pytest.skip("this checkout is not readable for everybody")
    nginx = Nginx.find()
    with tempfile.TemporaryDirectory() as folder:
        public = PublicSide(f"{HOST}:{served.config.port + 4}")
        config = GatewayConfig(
            Path(folder) / "gateway", "u2netp", public, PrivateSide(served.config, "u2netp")
        )
        config.write(nginx.modules, nginx.mime_types)
        main = config.main_file.read_text().replace("user root;", "")
        config.main_file.write_text(main)
        for path in (Path(folder), *Path(folder).rglob("*")):
            os.chown(path, 65534, 65534)
        start = [*nobody, str(nginx.program), "-e", str(config.log), "-c", str(config.main_file)]
        # Until it has closed its outputs, and so has written its number.
        subprocess.run(start, check=True, capture_output=True)
        try:
            process = GatewayProcess(config).find()
            answer = curl(public.url + "/")
        finally:
            GatewayProcess(config).stop()

    assert process is not None
    assert "<title>Cutout</title>" in answer


def test_a_taken_address_is_told(gate: Gate, tmp_path: Path) -> None:
    address = gate.url.removeprefix("http://")

    started = make(tmp_path, gate.served.config.port, "gateway", f"LISTEN={address}")

    assert started.returncode != 0
    assert f"another process uses {address}: choose another LISTEN" in started.stderr


def test_settings_that_nginx_does_not_take_are_told_and_the_old_ones_stay(
    gate: Gate, photo: bytes
) -> None:
    port = gate.served.config.port
    settings = ("CERTIFICATE=Makefile", "PRIVATE_KEY=Makefile", "MODEL=u2netp")

    started = make(gate.served.build, port, "gateway", f"LISTEN={gate.url[7:]}", *settings)

    assert started.returncode != 0
    assert "cannot load certificate" in started.stderr
    assert gate.ask(data=photo).status_code == 200


def test_a_taken_address_is_told_while_a_gateway_runs_and_the_old_settings_stay(
    gate: Gate,
) -> None:
    settings = {file: file.read_text() for file in gate.folder.rglob("*.conf")}
    port = gate.served.config.port
    with socket.create_server((HOST, 0)) as taken:
        address = f"{HOST}:{taken.getsockname()[1]}"
        started = make(gate.served.build, port, "gateway", "MODEL=u2netp", f"LISTEN={address}")

    assert started.returncode != 0
    assert f"another process uses {address}: choose another LISTEN" in started.stderr
    assert {file: file.read_text() for file in gate.folder.rglob("*.conf")} == settings
    assert gate.ask("/v1.0/account", method="GET").status_code == 200


def test_a_running_gateway_takes_new_settings_over(gate: Gate) -> None:
    port = gate.served.config.port
    settings = ("MODEL=u2netp", f"LISTEN={gate.url[7:]}")

    changed = make(gate.served.build, port, "gateway", *settings, "RATE=499")
    limit = gate.ask(data={"format": "png"}).headers["X-RateLimit-Limit"]
    restored = make(gate.served.build, port, "gateway", *settings)

    assert (changed.returncode, restored.returncode) == (0, 0)
    assert limit == "499"


def test_only_a_gateway_that_lives_is_in_the_way_of_make_clean(gate: Gate, tmp_path: Path) -> None:
    pid = tmp_path / "gateway" / "nginx.pid"
    pid.parent.mkdir()
    shutil.copy(gate.folder / "nginx.pid", pid)
    living = make(tmp_path, 31080, "clean")
    pid.write_text(f"{os.getpid()}\n")
    stale = make(tmp_path, 31080, "clean")

    assert "a gateway runs: make gateway-stop" in living.stderr
    assert (living.returncode != 0, stale.returncode) == (True, 0)


def test_in_a_container_it_logs_to_the_console_and_ends_when_it_is_told(tmp_path: Path) -> None:
    try:
        Nginx.find()
    except ServerError as error:
        pytest.skip(str(error))
    address = f"{HOST}:{free_port()}"
    keys = tmp_path / "keys"
    keys.write_text("alice alices-key\n")
    # As deploy/container.sh starts it.
    command = [sys.executable, "-m", "scripts", "gateway-run", "--build", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--model", "u2netp", "--listen", address, "--keys", str(keys)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        account = f"http://{address}/v1.0/account"
        told = ("-o", os.devnull, "-w", "%{http_code}", "-H", "X-Api-Key: alices-key")
        answer = curl("--retry-connrefused", "--retry", "9", "--retry-delay", "1", *told, account)
        curl("-o", os.devnull, f"http://{address}/healthz")
        run.terminate()
        logged, complaints = run.communicate(timeout=60)

    assert (answer, run.returncode) == ("200", 0)
    assert '"alice"' in logged
    assert "machine.sock" in complaints or "no readiness" in complaints
    assert not list((tmp_path / "gateway").glob("*.log"))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("gateway-url", "no gateway runs here: make gateway"),
        ("gateway-key NAME=a.b", "use only letters"),
        ("gateway-machine", "ALLOW=<address of the gateway>"),
        ("gateway CERTIFICATE=Makefile", "TLS needs both"),
        ("gateway LISTEN=80;", "are not allowed"),
        ("gateway LISTEN=0.0.0.0:8395", "in clear text"),
        ("gateway RATE=-5", "RATE=-5: expected a whole number above 0"),
    ],
)
def test_a_command_that_makes_no_sense_says_so(tmp_path: Path, target: str, words: str) -> None:
    done = make(tmp_path, 31080, *target.split())

    assert done.returncode != 0
    assert words in done.stderr


@pytest.fixture(scope="module")
def own(networks: dict[str, Path]) -> Iterator[Gate]:
    """A gateway in front of a server of its own, without a model."""
    with build_folder() as build:
        config = server_in(build)
        build_archive("u2netp", "1.0", networks["u2netp"], config.store)
        with gate_of(Served(build, config)) as gateway:
            yield gateway
        TorchServeProcess(config).stop()


def readiness(gate: Gate) -> int:
    time.sleep(1.1)  # it is remembered for a second
    return gate.ask("/healthz", method="GET", key="").status_code


def test_readiness_is_that_of_a_worker_and_a_worker_that_dies_costs_no_request(
    own: Gate, photo: bytes
) -> None:
    config, api = own.served.config, own.served.api
    down = own.ask(data=photo)
    assert error_of(down) == (503, "unavailable")
    assert int(down.headers["Retry-After"]) > 0
    assert readiness(own) == 503

    TorchServeProcess(config).start(ROOT / "config.properties", WHEELS, ONE_WORKER)
    api.wait_until_up()
    assert readiness(own) == 503
    assert error_of(own.ask(data=photo)) == (503, "unavailable")
    assert error_of(own.ask("/predictions/u2netp", data=photo)) == (404, "not_found")
    api._manage("POST", "/models", {"url": "u2netp.mar", "initial_workers": 0})
    idle = own.ask(data=photo)
    assert error_of(idle) == (503, "unavailable")
    assert int(idle.headers["Retry-After"]) > 0

    time.sleep(1.1)
    with ThreadPoolExecutor(1) as pool:
        scaled = pool.submit(api.scale, "u2netp", "1.0", 1)
        ping = {"Authorization": f"Bearer {api.token('inference')}"}
        address = f"{config.inference_address}/ping"
        while not local_session().get(address, headers=ping, timeout=9).ok:
            time.sleep(0.05)
        # TorchServe calls itself healthy, and the worker is still loading.
        loading = own.ask("/healthz", method="GET", key="").status_code
        scaled.result()
    assert loading == 503
    assert readiness(own) == 200

    (worker,) = own.served.worker_pids()
    process = psutil.Process(worker)
    process.suspend()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(own.ask, data=photo)
        time.sleep(1)
        process.send_signal(signal.SIGKILL)
        assert asked.result().status_code == 200
    assert own.served.worker_pids() != [worker]


def test_a_full_queue_is_overloaded_and_a_stopped_server_unavailable(
    own: Gate, photo: bytes
) -> None:
    config, api = own.served.config, own.served.api
    if TorchServeProcess(config).find() is None:
        TorchServeProcess(config).start(ROOT / "config.properties", WHEELS, ONE_WORKER)
        api.wait_until_up()
        api.register("u2netp", "1.0", 1)
    (worker,) = own.served.worker_pids()
    process = psutil.Process(worker)
    process.suspend()
    with ThreadPoolExecutor(MORE_THAN_A_QUEUE) as pool:
        sent = [pool.submit(own.ask, data=photo) for _ in range(MORE_THAN_A_QUEUE)]
        while sum(each.done() for each in sent) == 0:
            time.sleep(0.05)
        process.resume()
        responses = [each.result() for each in sent]
    refused = [response for response in responses if response.status_code != 200]

    assert 0 < len(refused) < MORE_THAN_A_QUEUE
    for response in refused:
        assert error_of(response) == (503, "overloaded")
        assert int(response.headers["Retry-After"]) > 0

    stopped = make(own.served.build, config.port, "stop")
    assert stopped.returncode == 0, stopped.stderr
    time.sleep(1.1)  # readiness is remembered for a second
    for response in (own.ask(data=photo), own.ask("/healthz", method="GET")):
        assert error_of(response) == (503, "unavailable")
        assert response.json()["errors"][0]["title"] == "No server is ready"


def test_a_full_disk_under_the_gateway_costs_no_cutout(
    served: Served, photo: bytes, cutout: bytes
) -> None:
    with tempfile.TemporaryDirectory(prefix="u2net-") as folder:
        public = PublicSide(f"{HOST}:{served.config.port + 4}")
        private = PrivateSide(served.config, "u2netp")
        config = GatewayConfig(Path(folder) / "gateway", "u2netp", public, private)
        gateway = Gate(served, public.url, config.folder)
        with small_disk(config.folder):
            config.keys.write_text("alice alices-key\n")
            GatewayProcess(config).start()
            try:
                fill(config.folder)
                cut = gateway.ask(key="alices-key", data=photo)
                health = gateway.ask("/healthz", method="GET", key="")
            finally:
                GatewayProcess(config).stop()

    assert cut.content == cutout
    assert health.status_code == 200
