"""Requests that TorchServe hands over together, asked of a real server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from build_archive import build_archive
from tests.served.conftest import Served

BATCH_SIZE = 8


@pytest.fixture
def batching_version(served: Served, weights: Path) -> Iterator[str]:
    """A version of u2netp that waits until eight requests are there."""
    version = "8.0"
    build_archive("u2netp", version, weights / "u2netp.pth", served.config.store)
    served.api.register("u2netp", version, 1, batch_size=BATCH_SIZE, batch_delay_ms=5000)
    yield version
    served.api.unregister("u2netp", version)


def test_five_photos_and_three_bad_requests_share_a_batch(
    served: Served, batching_version: str, photo_files: list[Path], photos: list[Image.Image]
) -> None:
    good = [file.read_bytes() for file in photo_files]
    small = BytesIO()
    photos[0].resize((123, 77)).save(small, "PNG")
    bodies = [
        *(good[0], b"not a picture", good[1], good[2][:5000]),
        *(small.getvalue(), good[3], b"\x00" * 50, good[2]),
    ]
    alone = [served.ask(data=body, method="PUT") for body in bodies]

    def ask(body: bytes) -> requests.Response:
        return served.ask(f"u2netp/{batching_version}", data=body, method="PUT")

    with ThreadPoolExecutor(BATCH_SIZE) as pool:
        together = list(pool.map(ask, bodies))

    assert [response.status_code for response in together] == [
        *(200, 415, 200, 400),
        *(200, 200, 415, 200),
    ]
    for one, shared in zip(alone, together, strict=True):
        assert shared.status_code == one.status_code
        if one.ok:
            difference = alpha_of(shared).astype(int) - alpha_of(one)
            assert np.abs(difference).max() <= 1
        else:
            assert shared.json() == one.json()


def alpha_of(response: requests.Response) -> np.ndarray:
    shape = int(response.headers["X-Height"]), int(response.headers["X-Width"]), 4
    return np.frombuffer(response.content, np.uint8).reshape(shape)[..., 3]


def test_a_batch_that_never_fills_is_answered_too(
    served: Served, batching_version: str, photo_files: list[Path]
) -> None:
    response = served.ask(
        f"u2netp/{batching_version}", data=photo_files[0].read_bytes(), method="PUT"
    )

    assert response.status_code == 200
