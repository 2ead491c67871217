from pathlib import Path

import pytest
from PIL import Image

from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.photos import TIMED, pictures_in


def test_a_folder_of_ones_own_serves_as_well(tmp_path: Path) -> None:
    for name in (*TIMED, "another"):
        Image.new("RGB", (4, 3)).save(tmp_path / f"{name}.jpg")

    pictures = pictures_in(tmp_path)

    assert list(pictures.timed) == ["0.4", "1.5", "12"]
    assert (pictures.timed["12"].width, pictures.timed["12"].height) == (4, 3)
    assert [picture.name for picture in pictures.masks] == ["0.4", "1.5", "12", "another"]


def test_a_photo_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"0\.4\.jpg .* PICTURES="):
        pictures_in(tmp_path)
