"""Alpha is the same in any company: batches of 1 to 4, with the real networks and runtimes."""

import random
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import exported
from tests.handler.torchserve_worker import (
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
from u2net_cutout.network.precision import Precision, Runtime
from u2net_handler import U2Net

# Model, runtime, precision, and by how many levels of 255 alpha may differ. Torch's batches are
# tested in tests/handler/test_u2net_handler.py.
SERVED = {
    "fp32": ("u2netp", Runtime.NCNN, Precision.FP32, 1),
    "int8": ("u2net", Runtime.OPENVINO, Precision.INT8, 2),
}


@pytest.fixture(scope="module", params=SERVED)
def worker(
    request: pytest.FixtureRequest, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[U2Net, Context, int]:
    """A worker, and by how many levels alpha may differ there."""
    model, runtime, precision, levels = SERVED[request.param]
    network = exported(model, runtime, precision)
    context = worker_context(unpacked(network, tmp_path_factory.mktemp("archive")))
    return loaded(context), context, levels


@pytest.fixture(scope="module")
def menu(photos: list[Image.Image], photo_files: list[Path]) -> list[Request]:
    """Pictures of several sizes, shapes and modes, options of all kinds, and bad requests."""
    astronaut, chelsea, coffee, rocket = photos
    see_through = coffee.resize((90, 200)).convert("RGBA")
    see_through.putalpha(Image.linear_gradient("L").resize(see_through.size))
    return [
        photo(photo_files[1].read_bytes()),
        photo(png(astronaut.resize((64, 48))), {"Accept": "image/webp"}),
        form(png(see_through), format="png", edges="plain"),
        form(png(chelsea.resize((500, 20))), format="png", channels="alpha"),
        form(
            png(rocket.convert("L").resize((121, 80))), format="png", edges="refined", crop="true"
        ),
        photo(b"not a picture"),
        form(photo_files[1].read_bytes(), colour="red"),
    ]


def alpha_of(reply: Reply) -> np.ndarray:
    """Return the alpha of a cutout in any lossless format; nothing of what has none."""
    if reply.headers["content-type"] == "application/octet-stream":
        return reply.alpha
    with Image.open(BytesIO(reply.body)) as picture:
        alpha = picture if picture.mode == "L" else picture.convert("RGBA").getchannel("A")
        return np.asarray(alpha, np.int32)


def companies(count: int) -> list[tuple[int, ...]]:
    """Return batches of two to four different requests."""
    shuffled = random.Random(7)
    return [tuple(shuffled.sample(range(count), size)) for size in (2, 3, 4)]


def test_alpha_is_that_of_the_request_alone(
    worker: tuple[U2Net, Context, int], menu: list[Request]
) -> None:
    handler, context, levels = worker
    alone = [send(handler, context, request)[0] for request in menu]
    assert [reply.status for reply in alone] == [*[200] * 5, 415, 400]

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
