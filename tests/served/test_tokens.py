"""Who gets in without a token, or with another than is asked for: nobody, by HTTP or by gRPC."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
import requests

from scripts.common.http import local_session
from scripts.torchserve.binding import HOST
from scripts.torchserve.config import ServerConfig
from scripts.torchserve.management_api import ManagementApi
from scripts.torchserve.process import TorchServeProcess
from scripts.torchserve.tokens import TokenKind
from tests.conftest import ROOT, WHEELS
from tests.served.conftest import ONE_WORKER, Served
from tests.served.grpc_calls import channel_to

INFERENCE = "/org.pytorch.serve.grpc.inference.InferenceAPIsService"
MANAGEMENT = "/org.pytorch.serve.grpc.management.ManagementAPIsService"


def key(served: Served, kind: str) -> str:
    """Read a token as it stands in the file, the one for renewing included."""
    return str(json.loads(served.config.key_file.read_text())[kind]["key"])


GRPC_DOORS = {
    "grpc_inference": [f"{INFERENCE}/Ping", f"{INFERENCE}/Predictions"],
    "grpc_management": [
        f"{MANAGEMENT}/{method}"
        for method in (
            *("ListModels", "DescribeModel", "RegisterModel", "UnregisterModel"),
            *("ScaleWorker", "SetDefault"),
        )
    ],
}
ALL_ADDRESSES = ("inference_address", "management_address", "metrics_address")


# What is sent in place of the right token, by its name.
WRONG: dict[str, Callable[[Served, TokenKind], dict[str, str]]] = {
    "none": lambda served, kind: {},
    "made up": lambda served, kind: {"Authorization": "Bearer AAAAAAAA"},
    "empty": lambda served, kind: {"Authorization": "Bearer "},
    "the other port's": lambda served, kind: bearer(
        served.api.token("management" if kind == "inference" else "inference")
    ),
    "the one for renewing": lambda served, kind: bearer(key(served, "API")),
    "cut short": lambda served, kind: bearer(served.api.token(kind)[:-1]),
    "made longer": lambda served, kind: bearer(served.api.token(kind) + "A"),
    "without its scheme": lambda served, kind: {"Authorization": served.api.token(kind)},
    "of another scheme": lambda served, kind: {"Authorization": f"Basic {served.api.token(kind)}"},
    "in a cookie": lambda served, kind: {
        "Cookie": f"Authorization=Bearer {served.api.token(kind)}"
    },
}
wrong_tokens = pytest.mark.parametrize("wrong", list(WRONG))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def ask(address: str, method: str, path: str, **how: Any) -> requests.Response:
    return local_session().request(method, f"{address}{path}", timeout=60, **how)


def call(served: Served, port: str, method: str, headers: dict[str, str]) -> grpc.StatusCode:
    """Call a gRPC method with an empty message; return how it ended."""
    metadata = (
        ("protocol", "gRPC"),
        *((name.lower(), value) for name, value in headers.items()),
    )
    with channel_to(served.config, port) as channel:
        try:
            channel.unary_unary(method)(b"", metadata=metadata, timeout=60)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


@wrong_tokens
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", "/ping"), ("POST", "/predictions/u2netp"), ("POST", "/predictions/u2netp/1.0")),
        *(("POST", "/explanations/u2netp"), ("POST", "/invocations?model_name=u2netp")),
        *(("POST", "/models/u2netp/invoke"), ("POST", "/u2netp/predict")),
        *(("POST", "/v1/models/u2netp:predict"), ("POST", "/v2/models/u2netp/infer")),
        *(("POST", "/wfpredict/any"), ("OPTIONS", "/predictions/u2netp"), ("GET", "/nothing")),
    ],
)
def test_nothing_is_predicted_without_the_right_token(
    served: Served, wrong: str, method: str, path: str
) -> None:
    headers = WRONG[wrong](served, "inference") | {"Content-Type": "image/png"}

    answer = ask(served.config.inference_address, method, path, data=b"x", headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (400, "InvalidKeyException")


@wrong_tokens
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", "/models"), ("GET", "/models/u2netp"), ("POST", "/models?url=u2netp.mar")),
        *(("PUT", "/models/u2netp?min_worker=0"), ("PUT", "/models/u2netp/1.0/set-default")),
        *(("DELETE", "/models/u2netp"), ("DELETE", "/models/u2netp/1.0")),
        *(("GET", "/workflows"), ("POST", "/workflows?url=any.war"), ("DELETE", "/workflows/any")),
        *(("GET", "/v1/models/u2netp"), ("OPTIONS", "/models"), ("GET", "/nothing")),
    ],
)
def test_nothing_is_managed_without_the_right_token(
    served: Served, wrong: str, method: str, path: str
) -> None:
    headers = WRONG[wrong](served, "management")

    answer = ask(served.config.management_address, method, path, headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (400, "InvalidKeyException")


@pytest.mark.parametrize("path", ["/token?type=inference", "/models/u2netp?x=/token"])
@pytest.mark.parametrize("kind", ["none", "inference", "management"])
def test_only_the_key_for_renewing_renews(served: Served, path: str, kind: str) -> None:
    headers = {} if kind == "none" else bearer(key(served, kind))

    for method in ("GET", "DELETE"):
        answer = ask(served.config.management_address, method, path, headers=headers)

        assert (answer.status_code, answer.json()["type"]) == (400, "InvalidKeyException")


def test_the_key_for_renewing_can_do_nothing_else(served: Served) -> None:
    # TorchServe tells a renewal by these letters anywhere in the request.
    for path in ("/models/u2netp?x=/token", "/models/u2netp/token"):
        answer = ask(
            served.config.management_address, "DELETE", path, headers=bearer(key(served, "API"))
        )

        assert answer.status_code == 400
    assert served.api.describe("u2netp")["workers"]


@pytest.mark.parametrize("kind", ["inference", "management"])
def test_a_renewed_token_ends_the_one_before(served: Served, kind: TokenKind) -> None:
    old = served.api.token(kind)
    address, path = {
        "inference": (served.config.inference_address, "/ping"),
        "management": (served.config.management_address, "/models"),
    }[kind]
    assert ask(address, "GET", path, headers=bearer(old)).status_code == 200

    renewal = ask(
        served.config.management_address,
        "GET",
        f"/token?type={kind}",
        headers=bearer(key(served, "API")),
    )

    assert renewal.status_code == 200
    # The answer does not carry the new one: whoever may read the file has it.
    assert served.api.token(kind) not in renewal.text
    assert ask(address, "GET", path, headers=bearer(old)).status_code == 400
    assert ask(address, "GET", path, headers=bearer(served.api.token(kind))).status_code == 200


def test_an_expired_token_is_refused(second: ServerConfig, tmp_path: Path) -> None:
    base = tmp_path / "config.properties"
    base.write_text((ROOT / base.name).read_text() + "token_expiration_min=0\n")
    TorchServeProcess(second).start(base, WHEELS, ONE_WORKER)
    ManagementApi(second).wait_until_up()
    tokens = json.loads(second.key_file.read_text())

    inference = bearer(tokens["inference"]["key"])
    management = bearer(tokens["management"]["key"])
    answers = [
        ask(second.inference_address, "GET", "/ping", headers=inference),
        ask(second.management_address, "GET", "/models", headers=management),
    ]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert "expired" in answers[0].text


@wrong_tokens
def test_grpc_asks_for_the_same_tokens(served: Served, wrong: str) -> None:
    for port, methods in GRPC_DOORS.items():
        kind: TokenKind = "inference" if port == "grpc_inference" else "management"
        for method in methods:
            ended = call(served, port, method, WRONG[wrong](served, kind))

            assert ended is grpc.StatusCode.PERMISSION_DENIED


def test_grpc_lets_the_right_tokens_in(served: Served) -> None:
    inference = bearer(served.api.token("inference"))
    management = bearer(served.api.token("management"))

    assert call(served, "grpc_inference", f"{INFERENCE}/Ping", inference) is grpc.StatusCode.OK
    listed = call(served, "grpc_management", f"{MANAGEMENT}/ListModels", management)
    assert listed is grpc.StatusCode.OK


def test_grpc_keeps_management_to_its_own_port_and_tells_no_schema(served: Served) -> None:
    management = bearer(served.api.token("management"))
    reflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

    for method in (f"{MANAGEMENT}/ListModels", reflection):
        ended = call(served, "grpc_inference", method, management)
        assert ended is grpc.StatusCode.UNIMPLEMENTED


def test_without_a_token_only_the_apis_description_and_the_metrics_are_told(
    served: Served,
) -> None:
    open_to_all = set()
    for name in ALL_ADDRESSES:
        for method in ("GET", "OPTIONS"):
            for path in ("/", "/api-description", "/metrics", "/models", "/ping", "/predictions"):
                if ask(getattr(served.config, name), method, path).ok:
                    open_to_all.add((name, method, path))

    assert open_to_all == {
        *((name, "OPTIONS", path) for name in ALL_ADDRESSES for path in ("/", "/api-description")),
        *((name, "GET", "/api-description") for name in ALL_ADDRESSES),
        *(("metrics_address", method, "/metrics") for method in ("GET", "OPTIONS")),
    }


def test_no_page_of_a_browser_may_ask(served: Served) -> None:
    page = {"Origin": "http://page.example", "Access-Control-Request-Method": "POST"}

    for address in (served.config.inference_address, served.config.management_address):
        answer = ask(address, "OPTIONS", "/predictions/u2netp", headers=page)

        assert answer.status_code == 400
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_it_listens_on_this_machine_alone(served: Served) -> None:
    process = TorchServeProcess(served.config).find()
    assert process is not None

    listening = [
        connection.laddr
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]

    assert {each.port for each in listening} == set(served.config.listening_ports)
    assert {each.ip.removeprefix("::ffff:") for each in listening} == {HOST}


def test_other_users_read_neither_tokens_nor_sockets(served: Served) -> None:
    folder = served.config.folder

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(served.config.key_file.stat().st_mode) == 0o600
    sockets = list(served.config.temporary.glob(".ts.sock.*"))
    assert len(sockets) >= 2
    # Also if someone opens the folder: nothing that TorchServe or a worker wrote is for others.
    written = [*sockets, *served.config.logs.glob("*.log"), *served.config.temporary.iterdir()]
    for path in written:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or path.name == "server.log", path
