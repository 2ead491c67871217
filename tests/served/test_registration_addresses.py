"""From where a model or a workflow can be registered, and from where not.

The holder of the management token asks; without it nobody gets as far (test_tokens.py).
"""

import json
import shutil
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import requests

from scripts.common.http import local_session
from scripts.lifecycle.removal import remove_model
from scripts.torchserve.binding import HOST
from tests.served.conftest import Served
from tests.served.grpc_calls import channel_to
from tests.served.test_tokens import MANAGEMENT, bearer

KINDS = ("models", "workflows")


@pytest.fixture
def listener() -> Iterator[tuple[str, list[object]]]:
    """An address of this machine that something could be fetched from, and who came for it."""
    visitors: list[object] = []
    with socket.create_server((HOST, 0)) as server:

        def welcome() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                visitors.append(address)
                connection.close()

        thread = threading.Thread(target=welcome, daemon=True)
        thread.start()
        yield f"{HOST}:{server.getsockname()[1]}", visitors
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture(autouse=True)
def nothing_changes(served: Served) -> Iterator[None]:
    """Whatever is tried: the models, the workers and the store are what they were."""

    def state() -> tuple[object, ...]:
        models = sorted(each["modelName"] for each in served.api.models())
        workers = [served.worker_pids(model) for model in models]
        return models, workers, sorted(served.config.store.iterdir())

    before = state()
    yield
    assert state() == before


@pytest.fixture
def bait(served: Served) -> Iterator[Path]:
    """A workflow, whose code would leave a trace, beside the store; returned is the trace."""
    trace = served.build / "trace"
    manifest = {"workflowName": "bait", "specFile": "bait.yaml", "handler": "bait.py"}
    with zipfile.ZipFile(served.build / "bait.war", "w") as packed:
        packed.writestr("MAR-INF/MANIFEST.json", json.dumps({"workflow": manifest}))
        packed.writestr("bait.yaml", "models:\n  m:\n    url: u2netp.mar\ndag:\n  bait: [m]\n")
        packed.writestr("bait.py", f"open({str(trace)!r}, 'w')\n")
    yield trace
    (served.build / "bait.war").unlink()


def register(served: Served, kind: str, **parameters: str) -> requests.Response:
    return local_session().post(
        f"{served.config.management_address}/{kind}",
        params=parameters,
        headers=bearer(served.api.token("management")),
        timeout=60,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "url",
    [
        *("http://{listener}/x.mar", "HTTP://{listener}/x.mar", " http://{listener}/x.mar"),
        *("https://{listener}/x.mar", "ftp://{listener}/x.mar", "//{listener}/x.mar"),
        *("jar:http://{listener}/x.jar!/x.mar", "http://{listener}/#file://{store}/u2netp.mar"),
        *("http://u2netp.mar@{listener}/x.mar", "file://{listener}/x.mar"),
        *("\\\\{listener}\\x\\x.mar", "\\\\127.0.0.1@{listener}\\x.mar", "s3://bucket/x.mar"),
        "https://s3.amazonaws.com/bucket/x.mar",
    ],
)
def test_nothing_is_fetched(
    served: Served, listener: tuple[str, list[object]], kind: str, url: str
) -> None:
    address, visitors = listener
    url = url.format(listener=address, store=served.config.store)

    for extra in ({}, {"s3_sse_kms": "true"}):
        answer = register(served, kind, url=url, **extra)

        assert answer.status_code == 404, answer.text
    assert visitors == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "url",
    [
        *("../bait.war", "..%2fbait.war", "..\\bait.war", "u2netp.mar/../../bait.war"),
        *("{build}/bait.war", "file://{build}/bait.war", "file:{build}/bait.war"),
        *("file://{store}/../bait.war", "file://{store}/%2e%2e/bait.war"),
        *("file://localhost{build}/bait.war", "FILE://{build}/bait.war", "{store}/../bait.war"),
        *("/etc/passwd", "file:///etc/passwd", "", "bait.war", "nothing.mar", "%00"),
    ],
)
def test_no_file_outside_of_the_store_is_taken(
    served: Served, bait: Path, kind: str, url: str
) -> None:
    answer = register(served, kind, url=url.format(build=served.build, store=served.config.store))

    assert answer.status_code == 404, answer.text
    assert not bait.exists()


def test_what_is_in_the_store_is_not_copied_over_by_its_address(served: Served) -> None:
    # TorchServe deletes from the store what it registered by an address, when it is unregistered.
    answer = register(served, "models", url=f"file://{served.config.store}/u2netp.mar")

    assert answer.status_code == 404
    assert "does not match any allowed URL" in answer.json()["message"]


@pytest.mark.parametrize("folder", ["/etc", "{build}", "{store}", "."])
@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_is_no_model_is_refused(served: Served, kind: str, folder: str) -> None:
    url = folder.format(build=served.build, store=served.config.store)

    assert register(served, kind, url=url).status_code >= 400


def test_the_management_token_is_as_good_as_the_servers_account(served: Served) -> None:
    """TorchServe runs the code in any folder that the token's holder names; nothing forbids that.

    SECURITY.md says so. This fails when it becomes untrue.
    """
    folder = served.build / "folder"
    folder.mkdir()
    trace = folder / "trace"
    (folder / "bait.py").write_text(f"open({str(trace)!r}, 'w').close()\n")
    try:
        answer = register(
            served,
            "models",
            **{"url": str(folder), "model_name": "folder", "handler": "bait.py"},
            **{"initial_workers": "1", "synchronous": "false"},
        )
        assert answer.status_code == 202
        while not trace.exists():
            # Its worker is started again and again: it has no class.
            assert served.api.versions("folder")
            time.sleep(0.1)
    finally:
        remove_model(served.api, "folder", None)
        shutil.rmtree(folder)


def test_a_workflow_in_the_model_store_is_not_found(served: Served, bait: Path) -> None:
    workflow = served.config.store / "bait.war"
    workflow.write_bytes((served.build / "bait.war").read_bytes())
    try:
        answer = register(served, "workflows", url="bait.war")
    finally:
        workflow.unlink()

    assert answer.status_code == 404
    assert not bait.exists()
    assert list(served.config.workflow_store.iterdir()) == []


def test_grpc_fetches_nothing_either(served: Served, listener: tuple[str, list[object]]) -> None:
    address, visitors = listener
    metadata = (("protocol", "gRPC"), ("authorization", f"Bearer {served.api.token('management')}"))
    with channel_to(served.config, "grpc_management") as channel:
        ask = channel.unary_unary(f"{MANAGEMENT}/RegisterModel")
        for url in (
            f"http://{address}/x.mar",
            f"file://{served.config.store}/%2e%2e/x",
            "../x.mar",
        ):
            # RegisterModelRequest with nothing but its field 9, the address.
            message = bytes([9 << 3 | 2, len(url)]) + url.encode()

            with pytest.raises(grpc.RpcError) as refusal:
                ask(message, metadata=metadata, timeout=60)

            assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    assert visitors == []


@pytest.mark.parametrize(
    "path",
    [
        *("..%2f..%2fetc%2fpasswd", "..", "u2netp%2f..%2f..", "u2netp/..%2f1.0", "u2netp/%00"),
        *("u2netp/1.0%00", "u2netp;x", "u2netp%0d%0aX: y", "%2e%2e/models", "u2netp/-1", "*"),
    ],
)
@pytest.mark.parametrize("door", ["predictions", "explanations"])
def test_a_models_name_is_no_path(served: Served, door: str, path: str) -> None:
    request = requests.Request(
        "POST",
        served.config.inference_address,
        headers=bearer(served.api.token("inference")),
        data=b"x",
    ).prepare()
    # As it stands: `requests` would resolve the dots by itself.
    request.url = f"{served.config.inference_address}/{door}/{path}"

    answer = local_session().send(request, timeout=60)

    assert answer.status_code == 404
    assert answer.json()["type"] in ("ModelNotFoundException", "ModelVersionNotFoundException")
