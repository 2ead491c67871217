"""The steps with a network that is arithmetic; the real ones are in tests/handler."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from u2net_cutout.contract.errors import UnreadableImage
from u2net_cutout.contract.formats import JSON_TYPE
from u2net_cutout.contract.limits import Limits
from u2net_cutout.matting.uncertainty import heat_map, mean_uncertainty
from u2net_cutout.network.inputs import HostInput
from u2net_cutout.network.variant import VARIANTS
from u2net_cutout.pipeline.cutout import CutoutPipeline
from u2net_cutout.pipeline.request import ReceivedRequest

STAGES = ["decode", "preprocess", "inference", "postprocess", "encode"]


@dataclass
class Arithmetic:
    """Some function in the place of a network."""

    run: Callable[[Tensor], Tensor]
    description = "arithmetic"
    device_description = "cpu"
    kernels: dict[str, int] = field(default_factory=dict)

    def __call__(self, batch: Tensor) -> Tensor:
        return self.run(batch)


HOST = HostInput(VARIANTS["u2netp"])


def left_half(batch: Tensor) -> Tensor:
    """Saliency maps whose left half is foreground."""
    maps = torch.zeros(len(batch), 7, *batch.shape[-2:])
    maps[..., : maps.shape[-1] // 2] = 1
    return maps


@pytest.fixture
def pipeline(limits: Limits) -> CutoutPipeline:
    return CutoutPipeline(Arithmetic(left_half), HOST, limits)


def request(**headers: str) -> ReceivedRequest:
    file = BytesIO()
    Image.new("RGB", (64, 32), "red").save(file, "PNG")
    return ReceivedRequest({"body": file.getvalue()}, {"Accept": "image/png", **headers})


def test_a_request_goes_through_all_steps_and_each_is_timed(pipeline: CutoutPipeline) -> None:
    received = request()

    response = pipeline.run(received)

    with Image.open(BytesIO(response.body)) as cutout:
        alpha = np.asarray(cutout.getchannel("A"))
    assert (alpha[:, :30] == 255).all()
    assert (alpha[:, 34:] == 0).all()
    assert response.headers["X-Input-Size"] == "320"
    timing = response.headers["Server-Timing"]
    assert [entry.partition(";")[0] for entry in timing.split(", ")] == STAGES
    assert list(received.timing.milliseconds) == STAGES


def test_a_photo_that_can_not_be_read_is_refused_and_timed(pipeline: CutoutPipeline) -> None:
    received = request()
    body = received.row["body"]
    assert isinstance(body, bytes)
    broken = replace(received, row={"body": body[:60]})

    with pytest.raises(UnreadableImage):
        pipeline.run(broken)

    assert list(broken.timing.milliseconds) == ["decode"]


def test_the_network_runs_once_for_all(limits: Limits) -> None:
    sizes: list[int] = []

    def network(batch: Tensor) -> Tensor:
        sizes.append(len(batch))
        return left_half(batch)

    pipeline = CutoutPipeline(Arithmetic(network), HOST, limits)
    prepared = [pipeline.prepare(pipeline.load(request())) for _ in range(3)]

    saliency = pipeline.infer(prepared)

    assert [each.photo for each in saliency] == [each.photo for each in prepared]
    assert {each.maps.shape for each in saliency} == {(7, 320, 320)}
    assert sizes == [3]


def test_a_network_that_returns_fewer_maps_is_an_error(limits: Limits) -> None:
    pipeline = CutoutPipeline(Arithmetic(lambda batch: left_half(batch)[1:]), HOST, limits)
    received = request()

    with pytest.raises(ValueError, match="zip"):
        pipeline.infer([pipeline.prepare(pipeline.load(received))])

    assert "inference" in received.timing.milliseconds


def test_torchserves_header_asks_for_an_explanation(pipeline: CutoutPipeline) -> None:
    drawn = replace(pipeline, explain=lambda photo, maps: Image.new("RGB", (5, 5)))

    explained, cutout = drawn.run(request(explain="True")), drawn.run(request(explain="False"))

    assert (explained.headers["X-Width"], cutout.headers["X-Width"]) == ("5", "64")


def hesitating(batch: Tensor) -> Tensor:
    """Saliency maps of which the first alone is sure, of the left half."""
    maps = torch.rand(len(batch), 7, *batch.shape[-2:], generator=torch.Generator().manual_seed(0))
    maps[:, 0] = left_half(batch)[:, 0]
    return maps


def test_the_first_map_is_the_mask_and_all_tell_the_uncertainty(limits: Limits) -> None:
    pipeline = CutoutPipeline(Arithmetic(hesitating), HOST, limits)
    maps = hesitating(torch.zeros(1, 3, 320, 320))[0]

    cutout = pipeline.run(request())
    in_json = json.loads(pipeline.run(request(Accept=JSON_TYPE)).body)["data"]

    with Image.open(BytesIO(cutout.body)) as picture:
        alpha = np.asarray(picture.getchannel("A"))
    assert (alpha[:, :30] == 255).all()
    assert (alpha[:, 34:] == 0).all()
    assert in_json["uncertainty"] == round(mean_uncertainty(maps), 6)
    assert in_json["coverage"] == pytest.approx(0.5, abs=0.01)


def test_an_explanation_is_a_heat_map_over_the_photo(limits: Limits) -> None:
    pipeline = CutoutPipeline(Arithmetic(hesitating), HOST, limits)

    explained = pipeline.run(request(explain="True"))

    maps = hesitating(torch.zeros(1, 3, 320, 320))[0]
    expected = heat_map(Image.new("RGB", (64, 32), "red"), maps)
    with Image.open(BytesIO(explained.body)) as picture:
        assert picture.convert("RGB").tobytes() == expected.tobytes()


def test_the_networks_time_is_in_milliseconds(
    pipeline: CutoutPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = [request(), request()]
    prepared = [pipeline.prepare(pipeline.load(each)) for each in received]
    clock = iter([2.0, 2.25])
    monkeypatch.setattr("u2net_cutout.pipeline.cutout.time.perf_counter", lambda: next(clock))

    pipeline.infer(prepared)

    assert [each.timing.milliseconds["inference"] for each in received] == [250, 250]
