"""Nothing that one request of a batch does reaches the others, asked of a real server.

All requests of a test share a batch, or they would not be answered in time.
"""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from scripts.archive.build import build_archive
from scripts.torchserve.batching import Batching
from tests.served.conftest import Served

VERSION = "4.0"
BATCH_SIZE = 4
# A batch that is not full waits this long, and its clients don't.
PATIENT_MS, CLIENT_TIMEOUT_S = 300_000, 90

Ask = Callable[[], requests.Response]


def png(size: tuple[int, int]) -> bytes:
    buffer = BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def batching(served: Served, networks: dict[str, Path]) -> Iterator[partial[requests.Response]]:
    """How to ask u2netp's default version, which takes four requests at a time and has faults."""
    store, network = served.config.store, networks["u2netp"]
    faulty = Path(__file__).with_name("faulty_handler.py")
    build_archive("u2netp", VERSION, network, store, faulty)
    served.api.register("u2netp", VERSION, 1, Batching(BATCH_SIZE, PATIENT_MS))
    served.api.set_default("u2netp", VERSION)
    yield partial(served.ask, timeout=CLIENT_TIMEOUT_S)
    served.api.set_default("u2netp", "1.0")
    served.api.unregister("u2netp", VERSION)
    build_archive("u2netp", "1.0", network, store)


@pytest.fixture
def same_worker(served: Served, batching: object) -> Iterator[None]:
    """The same process serves after a test as did before it."""
    before = served.worker_pids()
    yield
    assert served.worker_pids() == before


def together(*requests_: Ask) -> list[requests.Response]:
    with ThreadPoolExecutor(len(requests_)) as pool:
        return list(pool.map(lambda ask: ask(), requests_))


def code_of(response: requests.Response) -> str:
    return "ok" if response.ok else str(response.json()["errors"][0]["code"])


def failures(served: Served, request_id: str) -> list[dict[str, object]]:
    """Wait for a failure in the log, and return what is told of it."""
    for _ in range(100):
        lines = (served.config.logs / "model_log.log").read_text(encoding="utf-8").splitlines()
        found = [line for line in lines if '"failure"' in line and request_id in line]
        if found:
            break
        time.sleep(0.05)
    return [json.loads(line.partition(" - ")[2]) for line in found]


@pytest.mark.parametrize(
    "widths", [(101, 8, 102, 103), (104, 105, 8, 106), (107, 8, 8, 101)], ids=str
)
def test_a_fault_is_one_requests_own_500(
    served: Served, batching: partial[requests.Response], same_worker: None, widths: tuple[int, ...]
) -> None:
    bodies = [png((width, 9)) for width in widths]

    replies = together(*(partial(batching, data=body, method="PUT") for body in bodies))

    for width, reply in zip(widths, replies, strict=True):
        if width == 8:
            assert (reply.status_code, len(reply.content)) == (200, 8 * 9 * 4)
            continue
        assert (reply.status_code, code_of(reply)) == (500, "internal_error")
        request_id = reply.headers["x-request-id"]
        assert request_id in reply.json()["errors"][0]["detail"]
        (told,) = failures(served, request_id)
        assert told["ids"] == [request_id]


def test_no_header_of_a_client_hijacks_a_batch(
    batching: partial[requests.Response], served: Served, same_worker: None
) -> None:
    picture = png((60, 40))
    spoofed = {"describe": "True", "Content-Type": "image/png"}
    empty_form = {"describe": "True", "Content-Type": "multipart/form-data; boundary=b"}

    invoked, described, empty, plain = together(
        partial(batching, "?model_name=u2netp", path="invocations", data=picture, headers=spoofed),
        partial(batching, "predict", path="u2netp", data=picture, headers=spoofed),
        partial(batching, "invoke", path="models/u2netp", data=b"--b--\r\n", headers=empty_form),
        partial(batching, data=picture, method="PUT"),
    )

    alone = served.ask("u2netp/1.0", data=picture, method="PUT")
    assert described.content == plain.content == alone.content
    assert "weights_sha256" not in invoked.text
    assert (empty.status_code, code_of(empty)) == (400, "missing_source")


def test_the_other_protocols_headers_hijack_nothing_either(
    batching: partial[requests.Response], served: Served, same_worker: None
) -> None:
    picture = png((60, 40))
    spoofed = {"describe": "True", "explain": "True", "Content-Type": "image/png"}

    replies = together(
        partial(batching, "models/u2netp:predict", path="v1", data=picture, headers=spoofed),
        partial(batching, "models/u2netp/infer", path="v2", data=picture, headers=spoofed),
        partial(batching, "u2netp/invoke", path="models", data=picture, headers=spoofed),
        partial(batching, data=picture, headers=spoofed),
    )

    alone = served.ask("u2netp/1.0", data=picture, method="PUT")
    explanation = served.ask("u2netp/1.0", path="explanations", data=picture, method="PUT")
    # Only TorchServe's older addresses let a client ask for an explanation so, and only its own.
    assert [reply.content for reply in replies] == [
        *(alone.content, alone.content),
        *(explanation.content, alone.content),
    ]


def test_an_empty_form_at_an_older_address_does_not_get_the_description(served: Served) -> None:
    reply = served.ask(
        "u2netp/1.0/predict",
        path=".",
        data=b"--b--\r\n",
        headers={"describe": "True", "Content-Type": "multipart/form-data; boundary=b"},
    )

    assert (reply.status_code, code_of(reply)) == (400, "missing_source")


def test_alpha_in_a_mixed_batch_is_that_of_the_request_alone(
    batching: partial[requests.Response],
    served: Served,
    same_worker: None,
    photo_files: list[Path],
) -> None:
    forms = [
        {"channels": "alpha"},
        {"channels": "alpha", "size": "preview", "roi": "10% 10% 90% 90%"},
        {"channels": "alpha", "quality": "5000"},
        {"channels": "alpha", "crop": "true", "crop_margin": "20px", "edges": "refined"},
    ]
    files = [file.read_bytes() for file in photo_files]

    def asking(ask: Callable[..., requests.Response], *model: str) -> list[Ask]:
        parts = zip(files, forms, strict=True)
        return [partial(ask, *model, files={"image": file}, data=form) for file, form in parts]

    replies = together(*asking(batching))
    alone = [ask() for ask in asking(served.ask, "u2netp/1.0")]

    assert [reply.status_code for reply in replies] == [200, 200, 400, 200]
    for reply, single in zip(replies, alone, strict=True):
        assert reply.status_code == single.status_code
        if not reply.ok:
            assert reply.json() == single.json()
            continue
        shared, own = (np.frombuffer(each.content, np.uint8) for each in (reply, single))
        assert np.abs(shared.astype(int) - own).max() <= 1


def test_an_answer_over_the_limit_is_one_requests_own_413(
    batching: partial[requests.Response], same_worker: None
) -> None:
    buffer = BytesIO()
    # 27 megapixels: 108 MB of raw RGBA.
    Image.new("1", (6000, 4500)).save(buffer, "PNG")
    bodies = [png((8, 9)), buffer.getvalue(), b"", png((9, 8))]

    replies = together(*(partial(batching, data=body, method="PUT") for body in bodies))

    assert [reply.status_code for reply in replies] == [200, 413, 400, 200]
    assert code_of(replies[1]) == "response_too_large"
