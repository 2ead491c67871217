"""docs/your-own-handler.md: its example, built and served as told there."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests.served.conftest import Served, build_folder, make, server_in

MODEL = "u2netp"
HANDLER = "docs/examples/blurred_background.py"


@pytest.fixture(scope="module")
def own() -> Iterator[Served]:
    """A server of u2netp with the example's class."""
    with build_folder() as build:
        config = server_in(build)
        done = make(build, config.port, "serve", f"MODEL={MODEL}", f"HANDLER={HANDLER}")
        assert done.returncode == 0, done.stderr
        try:
            yield Served(build, config)
        finally:
            make(build, config.port, "stop", "NOW=1")


def pixels(server: Served, photo: Path, **options: str) -> np.ndarray:
    form = {"format": "png", **options}
    answer = server.ask(MODEL, files={"image_file": photo.read_bytes()}, data=form)
    assert answer.status_code == 200, answer.text
    with Image.open(BytesIO(answer.content)) as picture:
        array: np.ndarray = np.asarray(picture.convert("RGBA")).astype(int)
        return array


def detail(picture: np.ndarray) -> np.ndarray:
    """How far each pixel is from the mean of its neighbours."""
    image = Image.fromarray(picture[..., :3].astype(np.uint8)).convert("L")
    smooth = image.filter(ImageFilter.BoxBlur(2))
    difference: np.ndarray = np.abs(np.asarray(image, int) - np.asarray(smooth, int))
    return difference


def test_the_subject_is_the_photo_and_the_rest_is_blurred(
    own: Served, served: Served, photo_files: list[Path], photos: list[Image.Image]
) -> None:
    for file, photo in zip(photo_files[:3], photos[:3], strict=True):
        answered = pixels(own, file)
        alpha = pixels(served, file)[..., 3]
        original = np.asarray(photo).astype(int)

        assert (answered[..., 3] == 255).all()
        assert (answered[alpha == 255][:, :3] == original[alpha == 255]).all()
        behind = alpha == 0
        assert behind.any()
        assert detail(answered)[behind].mean() < detail(original)[behind].mean() / 2


def test_what_else_a_client_asks_for_stays(
    own: Served, served: Served, photo_files: list[Path]
) -> None:
    for options in ({"channels": "alpha"}, {"bg_color": "ff0000"}):
        assert (
            pixels(own, photo_files[0], **options) == pixels(served, photo_files[0], **options)
        ).all()

    refused = own.ask(
        MODEL, files={"image_file": photo_files[0].read_bytes()}, data={"crop": "true"}
    )
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["code"] == "unsupported_parameter"


def test_the_archive_is_proven_and_built_again_for_another_handler(own: Served) -> None:
    build, port = own.build, own.config.port

    assert make(build, port, "verify", f"MODEL={MODEL}").returncode == 0
    again = make(build, port, "archive", f"MODEL={MODEL}", f"HANDLER={HANDLER}")
    assert "is up to date" in again.stdout
    other = make(build, port, "archive", f"MODEL={MODEL}")
    assert "is up to date" not in other.stdout
    assert make(build, port, "verify", f"MODEL={MODEL}").returncode == 0


def test_it_is_rolled_out_as_any_version(own: Served, photo_files: list[Path]) -> None:
    before = pixels(own, photo_files[0])
    how = (f"MODEL={MODEL}", f"HANDLER={HANDLER}", "VERSION=1.1")

    done = make(own.build, own.config.port, "rollout", *how)

    assert done.returncode == 0, done.stderr
    assert own.api.describe(MODEL)["modelVersion"] == "1.1"
    assert (pixels(own, photo_files[0]) == before).all()
