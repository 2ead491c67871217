"""KServe's protocols through TorchServe's own envelopes: what they carry, and what they break."""

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path

import psutil
import pytest
import requests
from PIL import Image

from scripts.archive.build import build_archive
from scripts.common.http import local_session
from scripts.lifecycle.drain import stop
from scripts.lifecycle.start import start_server
from scripts.torchserve.process import TorchServeProcess
from tests.conftest import WHEELS
from tests.served.conftest import ONE_WORKER, Served, build_folder, server_in
from tests.served.grpc_calls import channel_to, message_types
from tests.served.test_drain import drawn

INFER = "/org.pytorch.serve.grpc.openinference.GRPCInferenceService/ModelInfer"
MODEL = "u2netp"
# The open inference protocol's, as far as they are needed here.
MESSAGES = message_types(
    {
        "Contents": [(8, "bytes_contents", "repeated bytes")],
        "Tensor": [
            *((1, "name", "string"), (2, "datatype", "string"), (3, "shape", "repeated int64")),
            (5, "contents", "Contents"),
        ],
        "Request": [(1, "model_name", "string"), (5, "inputs", "repeated Tensor")],
        "Response": [(1, "model_name", "string"), (5, "outputs", "repeated Tensor")],
    }
)


@pytest.fixture(scope="module", params=["v1", "v2"])
def kserve(networks: dict[str, Path], request: pytest.FixtureRequest) -> Iterator[Served]:
    """A server that speaks one of the protocols, with the archive as everywhere."""
    with build_folder() as build:
        config = replace(server_in(build), kserve=request.param, only_model=MODEL)
        build_archive(MODEL, "1.0", networks[MODEL], config.store)
        try:
            start_server(config, WHEELS, MODEL, "1.0", ONE_WORKER)
            yield Served(build, config)
        finally:
            TorchServeProcess(config).stop()


@pytest.fixture(scope="module")
def photo(photo_files: list[Path]) -> bytes:
    return photo_files[1].read_bytes()


@pytest.fixture(scope="module")
def cutout(served: Served, photo: bytes) -> Image.Image:
    """What /predictions gives."""
    return opened(served.ask(data=photo, method="PUT", headers={"Accept": "image/png"}).content)


@pytest.fixture(scope="module")
def crop(served: Served, photo: bytes) -> Image.Image:
    answer = served.ask(files={"data": photo}, data={"crop": "true", "format": "png"})
    return opened(answer.content)


def opened(file: bytes | str) -> Image.Image:
    data = base64.b64decode(file) if isinstance(file, str) else file
    with Image.open(BytesIO(data)) as picture:
        picture.load()
        return picture


def b64(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


def post(kserve: Served, path: str, body: object) -> requests.Response:
    return local_session().post(f"{kserve.config.inference_address}{path}", json=body, timeout=60)


def infer(kserve: Served, *pictures: bytes, **parameters: object) -> requests.Response:
    tensors = [
        {"name": f"photo-{index}", "shape": [1], "datatype": "BYTES", "data": [b64(picture)]}
        for index, picture in enumerate(pictures)
    ]
    return post(
        kserve,
        f"/v2/models/{kserve.config.only_model}/infer",
        {"id": "mine", "inputs": [{**tensor, "parameters": parameters} for tensor in tensors]},
    )


def only(kserve: Served, protocol: str) -> None:
    if kserve.config.kserve != protocol:
        pytest.skip(f"of protocol {protocol}")


def test_v1_gives_the_pixels_of_predictions(
    kserve: Served, photo: bytes, cutout: Image.Image, crop: Image.Image
) -> None:
    only(kserve, "v1")
    instances = [{"data": b64(photo)}, {"data": b64(photo), "crop": True}, b64(b"no picture")]

    answer = post(kserve, f"/v1/models/{MODEL}:predict", {"instances": instances})

    assert answer.status_code == 200
    plain, cropped, refused = answer.json()["predictions"]
    assert opened(plain["data"]["result_b64"]) == cutout
    assert (plain["data"]["width"], plain["data"]["height"]) == cutout.size
    assert opened(cropped["data"]["result_b64"]) == crop
    assert refused["errors"][0]["code"] == "invalid_file_type"


def test_v1_explains(kserve: Served, photo: bytes, cutout: Image.Image) -> None:
    only(kserve, "v1")

    answer = post(kserve, f"/v1/models/{MODEL}:explain", {"instances": [b64(photo)]})

    (explanation,) = answer.json()["explanations"]
    assert opened(explanation["data"]["result_b64"]).size == cutout.size


@pytest.mark.parametrize(
    ("instances", "code"), [([], "missing_source"), ([b64(b"no picture")], "invalid_file_type")]
)
def test_v1_fails_as_a_whole_where_nothing_was_cut_out(
    kserve: Served, instances: list[str], code: str
) -> None:
    only(kserve, "v1")

    answer = post(kserve, f"/v1/models/{MODEL}:predict", {"instances": instances})

    assert answer.status_code >= 400
    assert [each["errors"][0]["code"] for each in answer.json()["predictions"]] == [code]


def test_v2_gives_the_pixels_of_predictions(
    kserve: Served, photo: bytes, cutout: Image.Image, crop: Image.Image
) -> None:
    only(kserve, "v2")

    plain = infer(kserve, photo).json()
    cropped = infer(kserve, photo, photo, crop=True).json()

    assert plain["id"] == "mine"
    (output,) = plain["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("photo-0", "BYTES", [1])
    assert opened(output["data"][0]) == cutout
    assert [opened(each["data"][0]) for each in cropped["outputs"]] == [crop, crop]


def test_v2_tells_errors_as_text(kserve: Served) -> None:
    only(kserve, "v2")

    answer = infer(kserve, b"no picture")

    assert answer.status_code == 415
    assert "invalid_file_type" in answer.json()["outputs"][0]["data"][0]


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_too_many_pictures_are_refused_before_any_is_decoded(
    kserve: Served, protocol: str, photo: bytes
) -> None:
    only(kserve, protocol)
    pictures, worker = [photo] * 9, kserve.worker_pids(MODEL)

    if protocol == "v1":
        instances = {"instances": [b64(picture) for picture in pictures]}
        answer = post(kserve, f"/v1/models/{MODEL}:predict", instances)
        (refused,) = answer.json()["predictions"]
    else:
        answer = infer(kserve, *pictures)
        (output,) = answer.json()["outputs"]
        refused = json.loads(output["data"][0])

    assert answer.status_code == 413
    assert refused["errors"][0]["code"] == "too_many_items"
    assert kserve.worker_pids(MODEL) == worker


def test_v2_over_grpc_gives_the_same_pixels(
    kserve: Served, photo: bytes, cutout: Image.Image
) -> None:
    only(kserve, "v2")
    tensor = {
        "name": "photo",
        "datatype": "BYTES",
        "shape": [1],
        "contents": {"bytes_contents": [photo]},
    }
    with channel_to(kserve.config, "grpc_inference") as channel:
        call = channel.unary_unary(
            INFER,
            request_serializer=MESSAGES["Request"].SerializeToString,
            response_deserializer=MESSAGES["Response"].FromString,
        )
        response = call(MESSAGES["Request"](model_name=MODEL, inputs=[tensor]), timeout=60)

    # TorchServe writes text as JSON does: in quotation marks, and = as \\u003d.
    (text,) = response.outputs[0].contents.bytes_contents
    assert opened(json.loads(text)) == cutout


def test_nobody_registers_anything_without_a_token(kserve: Served) -> None:
    folder = {"url": str(kserve.config.folder), "model_name": "folder", "handler": "any.py"}

    answer = local_session().post(
        f"{kserve.config.management_address}/models", params=folder, timeout=60
    )

    assert answer.status_code == 405


def test_what_the_envelopes_break(kserve: Served, photo: bytes) -> None:
    """Raw bodies, and the model's own description: the envelope can't take them apart."""
    worker = kserve.worker_pids(MODEL)
    raw = local_session().put(
        f"{kserve.config.inference_address}/predictions/{MODEL}", data=photo, timeout=60
    )
    described = local_session().get(
        f"{kserve.config.management_address}/models/{MODEL}?customized=true", timeout=60
    )

    assert raw.status_code == 503
    assert not described.ok or not described.json()[0].get("customizedMetadata")
    assert kserve.worker_pids(MODEL) == worker


def test_a_stop_answers_what_a_worker_has_in_hand(
    kserve: Served, photo: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last one of each server: it ends it."""
    (worker,) = map(psutil.Process, kserve.worker_pids(MODEL))
    before = drawn(kserve)
    v1 = kserve.config.kserve == "v1"
    ask = partial(post, kserve, f"/v1/models/{MODEL}:predict", {"instances": [b64(photo)]})
    worker.suspend()
    with ThreadPoolExecutor(2) as pool:
        asked = pool.submit(ask) if v1 else pool.submit(infer, kserve, photo)
        while drawn(kserve) == before and not asked.done():
            time.sleep(0.05)
        stopped = pool.submit(stop, kserve.config)
        time.sleep(3)
        worker.resume()

        assert asked.result().status_code == 200
        assert stopped.result()
    # It has not waited in vain.
    assert "ending it all the same" not in capsys.readouterr().err
    assert TorchServeProcess(kserve.config).find() is None
