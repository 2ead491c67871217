"""The contract, asked of a real server over HTTP."""

import base64
import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image, ImageFilter
from torchvision.transforms import Compose

from preprocessing import Normalize, Rescale
from scripts.common.http import local_session
from scripts.weights.convert import folded_network, read_weights
from tests.conftest import WHEELS
from tests.served.conftest import Served
from u2net_cutout.matting.alpha import alpha_matte
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.variant import VARIANTS


@pytest.fixture(scope="module")
def chelsea(photo_files: list[Path]) -> bytes:
    """A photo of 451 x 300 pixels, as a client would send it."""
    return photo_files[1].read_bytes()


@pytest.fixture(scope="module")
def raw_cutout(served: Served, chelsea: bytes) -> bytes:
    """What the plainest request gets: the photo as the body."""
    response = served.ask(data=chelsea, headers={"Content-Type": "image/png"})
    assert response.status_code == 200
    return response.content


def encoded(picture: Image.Image, file_format: str = "PNG", **how: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, file_format, **how)
    return buffer.getvalue()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def refusal(response: requests.Response) -> tuple[int, str]:
    """Status and code of an error, whose body must have the contract's form."""
    assert response.headers["content-type"] == "application/json"
    (error,) = response.json()["errors"]
    assert set(error) == {"title", "code", "detail"}
    return response.status_code, error["code"]


def test_the_articles_client_reads_the_default_answer(
    served: Served, chelsea: bytes, photos: list[Image.Image]
) -> None:
    response = served.ask(data=chelsea, headers={"Content-Type": "image/png"})

    size = int(response.headers["X-Width"]), int(response.headers["X-Height"])
    cutout = Image.frombytes("RGBA", size, response.content)
    assert response.headers["content-type"] == "application/octet-stream"
    assert size == photos[1].size
    assert cutout.getchannel("A").getextrema() == (0, 255)
    opaque = np.asarray(cutout)[..., 3] == 255
    assert np.array_equal(np.asarray(cutout)[opaque][:, :3], np.asarray(photos[1])[opaque])


def test_served_alpha_is_that_of_the_core_on_the_same_weights(
    served: Served, raw_cutout: bytes, photos: list[Image.Image], weights: Path
) -> None:
    variant = VARIANTS["u2netp"]
    network = folded_network(read_weights(weights / "u2netp.pth", variant), variant)
    saliency = network(Compose([Rescale(320), Normalize()])(photos[1]).unsqueeze(0))[0, 0]
    expected = np.asarray(alpha_matte(saliency, photos[1].size), int)

    found = np.asarray(Image.frombytes("RGBA", photos[1].size, raw_cutout))[..., 3]
    assert np.abs(found - expected).max() <= 1


CHANNELS: dict[str, Any] = {
    "image type": lambda p: {"data": p, "headers": {"Content-Type": "image/png"}},
    "octet-stream": lambda p: {"data": p, "headers": {"Content-Type": "application/octet-stream"}},
    "PUT, no type": lambda p: {"data": p, "method": "PUT"},
    "multipart image_file": lambda p: {"files": {"image_file": ("a.png", p, "image/png")}},
    "multipart data": lambda p: {"files": {"data": ("a.png", p)}},
    "multipart image": lambda p: {"files": {"image": ("a.png", p, "image/png")}},
    "multipart file": lambda p: {"files": {"file": ("a", p, "application/octet-stream")}},
    "JSON image_file_b64": lambda p: {"json": {"image_file_b64": base64_of(p)}},
    "JSON data": lambda p: {"json": {"data": base64_of(p)}},
    "JSON data URL": lambda p: {"json": {"data": "data:image/png;base64," + base64_of(p)}},
    "JSON string": lambda p: {"json": base64_of(p)},
    "bare base64": lambda p: {"data": base64_of(p), "headers": {"Content-Type": "text/plain"}},
    "JSON of a type in capitals": lambda p: {
        "data": json.dumps({"data": base64_of(p)}),
        "headers": {"Content-Type": "APPLICATION/JSON"},
    },
    "urlencoded": lambda p: {"data": {"image_file_b64": base64_of(p)}},
}


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_channel_gives_the_same_bytes(
    served: Served, chelsea: bytes, raw_cutout: bytes, channel: str
) -> None:
    response = served.ask(**CHANNELS[channel](chelsea))

    assert response.status_code == 200, response.text
    assert response.content == raw_cutout


@pytest.mark.parametrize(
    "asked",
    [
        {"headers": {"Accept": "image/png"}},
        {"headers": {"accept": "text/html, image/png;q=0.9, application/octet-stream;q=0.1"}},
        {"data": {"format": "png"}},
        {"data": {"format": "png"}, "headers": {"Accept": "application/octet-stream"}},
    ],
)
def test_png_is_the_same_cutout(
    served: Served, chelsea: bytes, raw_cutout: bytes, asked: dict[str, Any]
) -> None:
    response = served.ask(files={"image_file": chelsea}, **asked)

    assert response.headers["content-type"] == "image/png"
    with Image.open(BytesIO(response.content)) as cutout:
        pixels = np.asarray(cutout)
    size = int(response.headers["X-Width"]), int(response.headers["X-Height"])
    raw = np.asarray(Image.frombytes("RGBA", size, raw_cutout))
    assert np.array_equal(pixels[..., 3], raw[..., 3])
    seen = raw[..., 3] > 0
    assert np.array_equal(pixels[seen], raw[seen])


PICTURE = encoded(Image.new("RGB", (8, 8), "red"))

REFUSALS: dict[str, tuple[dict[str, Any], tuple[int, str]]] = {
    "an empty body": ({"data": b""}, (400, "missing_source")),
    "an empty file": ({"files": {"image_file": b""}}, (400, "missing_source")),
    "only options": ({"json": {"format": "png"}}, (400, "missing_source")),
    "two pictures": (
        {"files": {"image_file": PICTURE, "data": PICTURE}},
        (400, "multiple_sources"),
    ),
    "an address": ({"json": {"image_url": "http://a/b.png"}}, (400, "url_sources_disabled")),
    "an unknown field": (
        {"files": {"data": PICTURE}, "data": {"formt": "png"}},
        (400, "unknown_parameter"),
    ),
    "a shadow": (
        {"files": {"data": PICTURE}, "data": {"add_shadow": "true"}},
        (400, "unsupported_parameter"),
    ),
    "a strange format": (
        {"files": {"data": PICTURE}, "data": {"format": "bmp"}},
        (400, "invalid_format"),
    ),
    "no base64": ({"json": {"data": "?!"}}, (400, "invalid_base64")),
    "broken JSON": (
        {"data": b"{", "headers": {"Content-Type": "application/json"}},
        (400, "invalid_json"),
    ),
    "broken JSON of a type in capitals": (
        {"data": b"{", "headers": {"Content-Type": "APPLICATION/JSON"}},
        (400, "invalid_json"),
    ),
    "a JSON list": ({"json": [1, 2]}, (400, "invalid_json")),
    "half a picture": ({"files": {"data": PICTURE[:40]}}, (400, "failed_to_read_image")),
    "an unacceptable type": (
        {"files": {"data": PICTURE}, "headers": {"Accept": "text/html"}},
        (406, "not_acceptable"),
    ),
    "a text": (
        {"data": b"<html>", "headers": {"Content-Type": "application/octet-stream"}},
        (415, "invalid_file_type"),
    ),
    "too many pixels": (
        {"files": {"data": encoded(Image.new("1", (10001, 5200)))}},
        (413, "resolution_too_high"),
    ),
    "too long a side": (
        {"files": {"data": encoded(Image.new("1", (65_537, 1)))}},
        (413, "side_too_long"),
    ),
    "too many fields": (
        {"files": {"data": PICTURE}, "data": {f"field{count}": "1" for count in range(64)}},
        (413, "too_many_fields"),
    ),
    "JSON of too many values": ({"json": [[]] * 1000}, (413, "too_many_fields")),
    "too long a value": (
        {"files": {"data": PICTURE}, "data": {"format": "p" * 4097}},
        (413, "field_too_long"),
    ),
    "too many bytes": ({"files": {"data": bytes(33554433)}}, (413, "file_too_large")),
    "too large an answer": (
        {"files": {"data": encoded(Image.new("1", (6000, 5000)))}},
        (413, "response_too_large"),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_has_its_status_and_code_and_costs_no_worker(served: Served, case: str) -> None:
    asked, expected = REFUSALS[case]
    workers = served.worker_pids()

    assert refusal(served.ask(**asked)) == expected
    assert served.worker_pids() == workers


def test_a_24_megapixel_photo_passes_as_raw_rgba(served: Served) -> None:
    photo = encoded(Image.linear_gradient("L").resize((6000, 4000)), "JPEG")

    response = served.ask(data=photo, headers={"Content-Type": "image/jpeg"})

    assert response.status_code == 200
    assert len(response.content) == 6000 * 4000 * 4


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (320, 320)])
@pytest.mark.parametrize("colour", ["black", "#123456"])
def test_extreme_and_flat_pictures_are_answered_in_their_size(
    served: Served, size: tuple[int, int], colour: str
) -> None:
    response = served.ask(files={"data": encoded(Image.new("RGB", size, colour))})

    assert response.status_code == 200
    assert (response.headers["X-Width"], response.headers["X-Height"]) == tuple(map(str, size))
    assert len(response.content) == size[0] * size[1] * 4


def test_a_photo_is_turned_upright(served: Served, photos: list[Image.Image]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = photos[1].transpose(Image.Transpose.ROTATE_90)

    response = served.ask(files={"data": encoded(turned, exif=exif)}, data={"edges": "plain"})

    cutout = Image.frombytes("RGBA", photos[1].size, response.content)
    assert cutout.convert("RGB").tobytes() == photos[1].tobytes()


def test_an_iphone_photo_is_read_by_what_the_archive_brought_along(
    served: Served, photos: list[Image.Image], tmp_path: Path
) -> None:
    # Into a folder of its own: the environment of the tests, and of the server, has no pillow-heif.
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--target")
    packages = tmp_path / "packages"
    wheels = ("--find-links", str(WHEELS), "pillow-heif")
    subprocess.run([*install, str(packages), *wheels], check=True)
    photos[1].save(tmp_path / "photo.png")
    convert = (
        f"import sys; sys.path.insert(0, {str(packages)!r})\n"
        "import pillow_heif; from PIL import Image\n"
        f"photo = Image.open({str(tmp_path / 'photo.png')!r})\n"
        f"pillow_heif.from_pillow(photo).save({str(tmp_path / 'single.heic')!r})\n"
        "several = pillow_heif.from_pillow(Image.new('RGB', (64, 64)))\n"
        "several.add_from_pillow(photo)\n"
        f"several.save({str(tmp_path / 'several.heic')!r}, primary_index=1)"
    )
    subprocess.run([sys.executable, "-c", convert], check=True)

    for name in ("single.heic", "several.heic"):
        heic = (tmp_path / name).read_bytes()
        response = served.ask(files={"data": heic}, data={"edges": "plain"})

        assert response.status_code == 200, response.text
        cutout = Image.frombytes("RGBA", photos[1].size, response.content).convert("RGB")
        difference = np.asarray(cutout, int) - np.asarray(photos[1], int)
        assert np.abs(difference).mean() < 4


def test_an_explanation_is_a_heat_map_that_glows_at_the_edge(
    served: Served, chelsea: bytes, raw_cutout: bytes, photos: list[Image.Image]
) -> None:
    response = served.ask(path="explanations", files={"data": chelsea})

    assert response.headers["content-type"] == "image/png"
    with Image.open(BytesIO(response.content)) as heat:
        assert (heat.size, heat.mode) == (photos[1].size, "RGB")
        red = np.asarray(heat.getchannel("R"), float)
    alpha = Image.frombytes("RGBA", photos[1].size, raw_cutout).getchannel("A")
    edge = np.asarray(alpha.filter(ImageFilter.FIND_EDGES)) > 20
    assert red[edge].mean() > 2 * red[~edge].mean()


def test_an_explanation_refuses_what_it_can_not_be(served: Served, chelsea: bytes) -> None:
    response = served.ask(path="explanations", files={"data": chelsea}, data={"format": "rgba"})

    assert refusal(response) == (400, "unsupported_parameter")


def test_the_description_tells_what_is_served(served: Served, networks: dict[str, Path]) -> None:
    described = served.api.customized("u2net", "1.0")

    assert described["model"] == "u2net"
    assert described["version"] == "1.0"
    assert described["precision"] == "fp32"
    assert described["runtime"].startswith("ncnn 1.")
    assert described["device"].startswith("cpu (")
    assert described["kernels"] == {"3x3 winograd f32": 95, "3x3 dilated f32": 23, "1x1 f32": 1}
    metadata = ModelMetadata.read(networks["u2net"])
    assert described["parity"] == metadata.parity
    assert described["weights_sha256"] == metadata.weights_sha256
    assert described["license"] == "Apache-2.0"
    assert described["input_size"] == [320, 320]
    assert described["formats"] == ["rgba", "png", "webp", "jpg", "zip", "auto"]
    assert described["limits"]["max_response_bytes"] == 104857600


def test_a_client_can_not_ask_for_the_description_instead_of_a_cutout(
    served: Served, chelsea: bytes, raw_cutout: bytes
) -> None:
    response = served.ask(files={"data": chelsea}, headers={"describe": "True"})

    assert response.content == raw_cutout


def test_the_stages_are_timed(served: Served, chelsea: bytes) -> None:
    response = served.ask(files={"data": chelsea})

    stages = dict(part.split(";dur=") for part in response.headers["Server-Timing"].split(", "))
    assert list(stages) == ["decode", "preprocess", "inference", "postprocess", "encode"]
    assert all(0 <= float(spent) < 60_000 for spent in stages.values())


def test_not_even_an_empty_form_gets_the_description(served: Served) -> None:
    response = served.ask(
        data=b"--b--\r\n",
        headers={"describe": "True", "Content-Type": "multipart/form-data; boundary=b"},
    )

    assert refusal(response) == (400, "missing_source")


def test_handler_time_reaches_the_metrics_port(served: Served, raw_cutout: bytes) -> None:
    metrics = local_session().get(f"{served.config.metrics_address}/metrics", timeout=10).text

    (line,) = (
        line
        for line in metrics.splitlines()
        if line.startswith("HandlerTime{") and 'ModelName="u2netp"' in line
    )
    assert 0 < float(line.rsplit(" ", 1)[1]) < 60_000


def test_torchserves_own_metrics_are_still_told(served: Served, raw_cutout: bytes) -> None:
    metrics = local_session().get(f"{served.config.metrics_address}/metrics", timeout=10).text

    for name in ("ts_inference_requests_total", "Requests2XX", "QueueTime", "PredictionTime"):
        assert f"\n{name}{{" in metrics


def test_nobody_gets_in_without_a_token(served: Served) -> None:
    response = served.ask(files={"data": PICTURE}, headers={"Authorization": "Bearer wrong"})

    assert response.status_code == 400
    assert "Token" in response.json()["message"]
