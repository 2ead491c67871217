"""An opened archive; that its bytes are the server's is in tests/served/test_open_archive.py."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.u2net_cutout.local.changed_archives import repacked
from u2net_cutout import CutoutModel, Refused, UsageError, open_archive, remove


@pytest.fixture(scope="module")
def model(archive: Path) -> Iterator[CutoutModel]:
    with open_archive(archive, threads=1) as opened:
        yield opened


def test_each_type_comes_back_as_itself(
    model: CutoutModel, photo_files: list[Path], photos: list[Image.Image]
) -> None:
    path, photo = photo_files[1], photos[1]
    expected = model.remove(path.read_bytes())
    pixels = np.asarray(Image.open(BytesIO(expected)))

    assert model.remove(path) == model.remove(str(path)) == expected
    assert model.remove(bytearray(path.read_bytes())) == expected
    image = model.remove(photo)
    assert (type(image), image.mode) == (Image.Image, "RGBA")
    assert np.array_equal(np.asarray(image), pixels)
    assert np.array_equal(model.remove(np.asarray(photo)), pixels)
    assert np.array_equal(model.remove(np.asarray(photo), channels="alpha"), pixels[:, :, 3])


def test_the_subject_is_cut_out(model: CutoutModel, photos: list[Image.Image]) -> None:
    alpha = model.remove(np.asarray(photos[0]), channels="alpha")

    assert alpha[:40, :40].max() < 20  # the wall behind the astronaut
    assert alpha[300:400, 200:300].min() > 235  # her suit


def test_remove_takes_it_in_the_place_of_a_client(
    model: CutoutModel, photo_files: list[Path]
) -> None:
    assert remove(photo_files[1], client=model) == model.remove(photo_files[1])


def test_a_background_may_be_a_path(model: CutoutModel, photo_files: list[Path]) -> None:
    front, behind = photo_files[1], photo_files[2]

    laid = model.remove(front, bg_image_file=behind, format="jpg", quality=90)

    assert laid == model.remove(front, bg_image_file=behind.read_bytes(), format="jpg", quality=90)
    assert Image.open(BytesIO(laid)).format == "JPEG"


@pytest.mark.parametrize(
    ("picture", "code"), [(b"no picture", "invalid_file_type"), (b"", "missing_source")]
)
def test_a_picture_that_is_none_is_refused(model: CutoutModel, picture: bytes, code: str) -> None:
    with pytest.raises(Refused, match=code) as told:
        model.remove(picture)

    assert told.value.code == code


def test_the_archives_limits_hold(archive: Path, photo_files: list[Path], tmp_path: Path) -> None:
    config = b"limits: {max_file_bytes: 1000000, max_pixels: 1000, max_response_bytes: 1000000}"
    strict = repacked(archive, tmp_path / "strict.mar", {"model-config.yaml": config})

    with open_archive(strict) as opened, pytest.raises(Refused) as told:
        opened.remove(photo_files[1])

    assert (told.value.status, told.value.code) == (413, "resolution_too_high")


def test_threads_get_the_cutouts_of_their_own_pictures(
    model: CutoutModel, photo_files: list[Path]
) -> None:
    chosen = [photo_files[1], photo_files[3]]
    expected = [model.remove(photo) for photo in chosen]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(model.remove, chosen * 2))

    assert found == expected * 2


def test_after_its_end_it_says_so(archive: Path, photo_files: list[Path]) -> None:
    with open_archive(archive) as opened:
        pass

    with pytest.raises(UsageError, match="closed"):
        opened.remove(photo_files[1])


# Newer Pythons warn of what this tries.
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_opens_its_own(model: CutoutModel, photo_files: list[Path]) -> None:
    child = os.fork()
    if child == 0:
        try:
            model.remove(photo_files[1])
        except UsageError as error:
            os._exit(7 if "open it in each" in str(error) else 8)
        os._exit(9)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
