"""IS-Net beside U²-Net in one server. Nothing fetches its weights unasked, so that this is skipped
without them; `make weights MODEL=isnet BUILD=build/test` puts them where these tests look.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.archive.build import build_archive
from scripts.lifecycle.start import start_server
from scripts.torchserve.batching import Batching
from scripts.torchserve.process import TorchServeProcess
from tests.conftest import ROOT, WEIGHTS, WHEELS, exported
from tests.served.conftest import ONE_WORKER, Gate, Served, build_folder, server_in
from tests.served.test_batches import CLIENT_TIMEOUT_S, PATIENT_MS
from tests.served.test_kserve import infer, opened
from u2net_cutout import connect, open_archive, remove
from u2net_cutout.client.local_composite import composite
from u2net_cutout.network.precision import Precision, Runtime

# A picture and a mask of github.com/xuebinqin/DIS, of one name.
OFFICIAL = Path(os.environ.get("ISNET_TEST_DATA", ROOT.parent / "shared" / "official-isnet"))


@pytest.fixture(scope="module")
def both(served: Served) -> Iterator[Served]:
    """A server with u2net, u2netp and isnet in float32, a worker each."""
    if not (WEIGHTS / "isnet.pth").exists():
        pytest.skip("IS-Net's weights are not there: make weights MODEL=isnet BUILD=build/test")
    network = exported("isnet", Runtime.NCNN, Precision.FP32)
    build_archive("isnet", "1.0", network, served.config.store)
    served.api.register("isnet", "1.0", 1)
    yield served
    served.api.unregister("isnet", "1.0")


def cutout(server: Served, model: str, picture: bytes, **options: str) -> Image.Image:
    response = server.ask(model, files={"data": picture}, data={"format": "png", **options})
    assert response.status_code == 200, response.text
    with Image.open(BytesIO(response.content)) as opened:
        opened.load()
    return opened


def test_alpha_is_the_mask_that_the_authors_published(both: Served) -> None:
    pictures = sorted(OFFICIAL.glob("*.jpeg"))
    if not pictures:
        pytest.skip("the authors' pictures are not there; ISNET_TEST_DATA names their folder")
    for picture in pictures:
        alpha = np.asarray(cutout(both, "isnet", picture.read_bytes()).getchannel("A"), float)
        with Image.open(picture.with_suffix(".png")) as published:
            mask = np.asarray(published.convert("L"), float)

        assert np.abs(alpha - mask).mean() / 255 <= 0.0004, picture.name


def test_each_address_has_its_own_network(both: Served, photo_files: list[Path]) -> None:
    for model, side in (("isnet", "1024"), ("u2netp", "320")):
        response = both.ask(model, files={"data": photo_files[0].read_bytes()})

        assert (response.status_code, response.headers["X-Input-Size"]) == (200, side)


def test_the_gateways_address_chooses_it(both: Served, gate: Gate, photo_files: list[Path]) -> None:
    photo = {"image_file": photo_files[0].read_bytes()}

    chosen, usual = (gate.ask(f"{model}/v1.0/removebg", files=photo) for model in ("/isnet", ""))

    assert [chosen.headers["X-Input-Size"], usual.headers["X-Input-Size"]] == ["1024", "320"]


def test_a_photo_of_50_megapixels_is_cut_out(both: Served, photos: list[Image.Image]) -> None:
    file, workers = BytesIO(), both.worker_pids("isnet")
    photos[1].resize((8160, 6144)).save(file, "JPEG")

    made = cutout(both, "isnet", file.getvalue(), format="jpg", edges="refined")

    assert made.size == (8160, 6144)
    assert both.worker_pids("isnet") == workers


def test_a_batch_gives_each_picture_what_it_gets_alone(
    both: Served, photo_files: list[Path]
) -> None:
    pictures = [photo.read_bytes() for photo in photo_files[:2]]
    alone = [both.ask("isnet/1.0", data=picture, method="PUT") for picture in pictures]
    network = exported("isnet", Runtime.NCNN, Precision.FP32)
    build_archive("isnet", "2.0", network, both.config.store)
    both.api.register("isnet", "2.0", 1, Batching(2, PATIENT_MS))

    def ask(picture: bytes) -> bytes:
        # Answered in time only if both are in one batch.
        answer = both.ask("isnet/2.0", data=picture, method="PUT", timeout=CLIENT_TIMEOUT_S)
        return answer.content

    try:
        with ThreadPoolExecutor(2) as pool:
            together = list(pool.map(ask, pictures))
    finally:
        both.api.unregister("isnet", "2.0")

    assert len({response.headers["X-Width"] for response in alone}) == 2
    assert [response.status_code for response in alone] == [200, 200]
    assert together == [response.content for response in alone]


def test_an_opened_archive_gives_the_servers_bytes(both: Served, photo_files: list[Path]) -> None:
    key = both.api.token("inference")
    with connect(both.config.inference_address, key=key, model="isnet") as server:
        expected = remove(photo_files[1], client=server, edges="refined")

    with open_archive(both.config.store / "isnet.mar", threads=1) as model:
        assert model.remove(photo_files[1], edges="refined") == expected


def test_kserve_gives_the_pixels_of_predictions(both: Served, photo_files: list[Path]) -> None:
    pictures = [photo.read_bytes() for photo in photo_files[:2]]
    expected = [cutout(both, "isnet", picture) for picture in pictures]
    with build_folder() as build:
        config = replace(server_in(build), kserve="v2", only_model="isnet")
        build_archive("isnet", "1.0", exported("isnet", Runtime.NCNN, Precision.FP32), config.store)
        try:
            start_server(config, WHEELS, "isnet", "1.0", ONE_WORKER)
            answer = infer(Served(build, config), *pictures)
        finally:
            TorchServeProcess(config).stop()

    assert [opened(each["data"][0]) for each in answer.json()["outputs"]] == expected


def test_it_says_what_it_is_and_what_is_stated_of_its_licence(both: Served) -> None:
    described = both.api.customized("isnet", "1.0")

    assert described["variant"] == "isnet"
    assert described["input_size"] == [1024, 1024]
    assert described["license"].startswith("stated: AGPL-3.0 by the npm package")
    assert "@imgly/background-removal-data@1.4.5" in described["weights_source"]
    assert both.api.describe("isnet", "1.0")["responseTimeout"] == 60


def test_it_explains_itself_by_its_six_maps(both: Served, photo_files: list[Path]) -> None:
    response = both.ask(
        "isnet",
        path="explanations",
        files={"data": photo_files[0].read_bytes()},
        headers={"Accept": "image/png"},
    )

    with Image.open(BytesIO(response.content)) as heat:
        assert (heat.mode, heat.size) == ("RGB", (512, 512))


def test_a_local_composite_is_what_the_server_makes_of_the_whole_picture(
    both: Served, photos: list[Image.Image]
) -> None:
    file = BytesIO()
    photos[1].resize((photos[1].width * 4, photos[1].height * 4)).save(file, "PNG")
    address, key = both.config.inference_address, both.api.token("inference")

    with connect(address, key=key, model="isnet") as client:
        made = composite(client, file.getvalue(), {"format": "png"})

    theirs = cutout(both, "isnet", file.getvalue(), edges="plain").getchannel("A")
    with Image.open(BytesIO(made.cutout.content)) as opened:
        ours = opened.getchannel("A")
    assert np.abs(np.asarray(ours, float) - np.asarray(theirs, float)).mean() < 0.005 * 255
