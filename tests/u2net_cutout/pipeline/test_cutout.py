"""The steps with a network that is arithmetic; the real ones are in tests/handler."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from u2net_cutout.contract.errors import UnreadableImage
from u2net_cutout.contract.limits import Limits
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
