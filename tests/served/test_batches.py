"""Requests that TorchServe hands over together, asked of a real server."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from scripts.archive.build import build_archive
from scripts.torchserve.batching import Batching
from tests.served.conftest import Served

BATCH_SIZE = 8

# A batch that is not full waits this long, and its clients don't.
PATIENT_MS, CLIENT_TIMEOUT_S = 300_000, 90


@pytest.fixture
def batching(
    served: Served, networks: dict[str, Path], other_archives: None
) -> Iterator[Callable[[int], str]]:
    """Registers a version of u2netp that waits so many milliseconds for eight requests."""
    version = "8.0"

    def register(delay_ms: int) -> str:
        build_archive("u2netp", version, networks["u2netp"], served.config.store)
        served.api.register("u2netp", version, 1, Batching(BATCH_SIZE, delay_ms))
        return version

    yield register
    served.api.unregister("u2netp", version)


def test_five_photos_and_three_bad_requests_share_a_batch(
    served: Served,
    batching: Callable[[int], str],
    photo_files: list[Path],
    photos: list[Image.Image],
) -> None:
    version = batching(PATIENT_MS)
    good = [file.read_bytes() for file in photo_files]
    small = BytesIO()
    photos[0].resize((123, 77)).save(small, "PNG")
    bodies = [
        *(good[0], b"not a picture", good[1], good[2][:5000]),
        *(small.getvalue(), good[3], b"\x00" * 50, good[2]),
    ]
    alone = [served.ask(data=body, method="PUT") for body in bodies]

    def ask(body: bytes) -> requests.Response:
        # Answered in time only if all eight are in one batch.
        return served.ask(f"u2netp/{version}", data=body, method="PUT", timeout=CLIENT_TIMEOUT_S)

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
    served: Served, batching: Callable[[int], str], photo_files: list[Path]
) -> None:
    version = batching(500)

    response = served.ask(f"u2netp/{version}", data=photo_files[0].read_bytes(), method="PUT")

    assert response.status_code == 200
