"""Alpha is the same in any company: batches of 1 to 4, with the real networks and runtimes."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from execution import Precision, Runtime
from network_input import DeviceInput
from tests.conftest import exported
from tests.torchserve_worker import (
    Context,
    Reply,
    Request,
    form,
    loaded,
    photo,
    png,
    send,
    unpacked,
    worker_context,
)
from torch_runtime import TorchRuntime
from u2net_handler import U2Net

# Runtime, precision, whether the batch goes through the network at once as on a GPU, and how many
# levels of 255 alpha may differ.
SERVED = {
    "openvino fp32": (Runtime.OPENVINO, Precision.FP32, False, 1),
    "openvino int8": (Runtime.OPENVINO, Precision.INT8, False, 2),
    "torch fp32": (Runtime.TORCH, Precision.FP32, False, 1),
    "torch fp32, whole batches": (Runtime.TORCH, Precision.FP32, True, 1),
}


@pytest.fixture(scope="module", params=SERVED)
def worker(
    request: pytest.FixtureRequest, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[U2Net, Context, int]]:
    """A worker, and by how many levels alpha may differ there."""
    runtime, precision, whole_batches, levels = SERVED[request.param]
    network = exported("u2netp", runtime, precision)
    context = worker_context(unpacked(network, tmp_path_factory.mktemp("archive")))
    handler = loaded(context)
    if not whole_batches:
        yield handler, context, levels
        return
    assert isinstance(handler.model, TorchRuntime)
    handler.model = replace(handler.model, whole_batches=True)
    handler.network_input = DeviceInput(torch.device("cpu"))
    with ThreadPoolExecutor(4) as handler.pool:
        yield handler, context, levels


@pytest.fixture(scope="module")
def menu(photos: list[Image.Image], photo_files: list[Path]) -> list[Request]:
    """Pictures of several sizes, shapes and modes, options of all kinds, and bad requests."""
    astronaut, chelsea, coffee, rocket = photos
    see_through = coffee.resize((90, 200)).convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(see_through.size))
    return [
        photo(photo_files[1].read_bytes()),
        photo(png(astronaut.resize((64, 48))), {"Accept": "image/png"}),
        photo(photo_files[3].read_bytes(), {"Accept": "image/webp"}),
        form(png(see_through), format="png", edges="plain"),
        form(png(chelsea.resize((500, 20))), format="png", channels="alpha"),
        form(png(astronaut), crop="true", crop_margin="10%", format="png"),
        form(png(rocket.convert("L").resize((33, 121))), format="png", edges="refined"),
        photo(png(Image.new("RGB", (5, 5), "red"))),
        photo(b"not a picture"),
        photo(photo_files[1].read_bytes()[:3000]),
        form(photo_files[1].read_bytes(), colour="red"),
        photo(b""),
    ]


def alpha_of(reply: Reply) -> np.ndarray:
    """Return the alpha of a cutout in any lossless format; nothing of what has none."""
    if reply.headers["content-type"] == "application/octet-stream":
        return reply.alpha
    with Image.open(BytesIO(reply.body)) as picture:
        alpha = picture if picture.mode == "L" else picture.convert("RGBA").getchannel("A")
        return np.asarray(alpha, np.int32)


def companies(count: int) -> list[tuple[int, ...]]:
    """Return batches of two to four, two of each size, and one of the same request four times."""
    shuffled = random.Random(7)
    mixed = [tuple(shuffled.sample(range(count), size)) for size in (2, 2, 3, 3, 4, 4, 4)]
    return [*mixed, (0, 0, 0, 0)]


def test_alpha_is_that_of_the_request_alone(
    worker: tuple[U2Net, Context, int], menu: list[Request]
) -> None:
    handler, context, levels = worker
    alone = [send(handler, context, request)[0] for request in menu]
    assert {reply.status for reply in alone[:8]} == {200}
    assert {reply.status for reply in alone[8:]} == {400, 415}

    for batch in companies(len(menu)):
        for index, reply in zip(
            batch, send(handler, context, *[menu[index] for index in batch]), strict=True
        ):
            expected = alone[index]
            assert reply.status == expected.status, batch
            if reply.status != 200:
                assert reply.body == expected.body
                continue
            difference = np.abs(alpha_of(reply) - alpha_of(expected))
            assert difference.max() <= levels, (batch, index)
