"""Pictures that can't be sent; those that can are in tests/served/test_client.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.u2net_cutout.client.failing_server import CUTOUT, failing_server
from u2net_cutout import Refused, UsageError, connect, remove


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (np.zeros((4, 4), np.float32), {}),
        (np.zeros((4, 4, 2), np.uint8), {}),
        (np.zeros((0, 4, 3), np.uint8), {}),
        (Image.new("F", (4, 4)), {}),
        (Image.new("RGB", (4, 4)), {"format": "webp"}),
        (b"photo", {"edges": "nope"}),
        (b"photo", {"alpha_matting": True}),
        (b"photo", {"composite": True, "bg_image_file": b"x"}),
        (b"photo", {"composite": True, "edges": "nope"}),
        (None, {}),
    ],
)
def test_invalid_arguments_are_not_sent(image: Any, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        remove(image, **options)


def test_an_array_comes_back_as_one_that_can_be_written_to() -> None:
    with failing_server(CUTOUT) as server, connect(server.url) as client:
        pixels = remove(np.zeros((4, 4, 3), np.uint8), client=client)

    assert pixels.shape == (3, 4, 4)
    assert pixels.flags.writeable


@pytest.mark.parametrize("body", [b"", b'{"errors": [{"code": "file_too_large"}]}'])
def test_an_error_over_the_size_names_the_copy(body: bytes) -> None:
    with (
        failing_server((413, {}, body)) as server,
        connect(server.url) as client,
        pytest.raises(Refused, match="composite=True"),
    ):
        remove(np.zeros((4, 4, 3), np.uint8), client=client)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_the_file_there(tmp_path: Path, kind: type[str] | type[Path]) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"the photo")
    with failing_server(CUTOUT) as server, connect(server.url) as client:
        cutout = remove(kind(photo), client=client, bg_image_file=kind(photo))

    assert cutout == CUTOUT[2]
    assert server.sent[0][1].count(b"the photo") == 2


def test_a_file_that_is_not_there_is_no_fault_of_the_server(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        remove(tmp_path / "gone.jpg")
