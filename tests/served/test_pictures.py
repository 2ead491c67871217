"""Pictures of every kind, read for what they show: asked of a real server over HTTP."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.served.conftest import Served
from tests.u2net_cutout.imaging.test_decoding import ORIENTATION, STORED, encoded
from tests.u2net_cutout.imaging.test_srgb import (
    DEBIAN_CMYK,
    ENGINES,
    P3_PROFILE,
    Engine,
    by_another,
    delta_e,
    print_profile,
    printed,
    saved,
    with_black,
)


def shown(served: Served, data: bytes) -> Image.Image:
    """The cutout with the picture's own colours, mode RGBA."""
    response = served.ask(files={"image_file": data}, data={"edges": "plain"})
    assert response.status_code == 200, response.text
    size = int(response.headers["X-Width"]), int(response.headers["X-Height"])
    return Image.frombytes("RGBA", size, response.content)


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures' colours, in levels."""
    first, second = (np.asarray(picture.convert("RGB"), int) for picture in (one, other))
    assert first.shape == second.shape
    return float(np.abs(first - second).mean())


@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_is_turned_upright(
    served: Served, photos: list[Image.Image], orientation: int
) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](np.asarray(photos[1]))))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation

    assert difference(shown(served, encoded(stored, "PNG", exif=exif)), photos[1]) == 0


KINDS: dict[str, dict[str, Any]] = {
    "JPEG": {},
    "progressive JPEG": {"format": "JPEG", "progressive": True},
    "WEBP": {},
    "AVIF": {},
    "TIFF": {},
    "BMP": {},
    "GIF": {},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_read(served: Served, photos: list[Image.Image], kind: str) -> None:
    how = {"format": kind, **KINDS[kind]}

    data = encoded(photos[1], how.pop("format"), **how)

    assert difference(shown(served, data), photos[1]) < 10


@pytest.mark.parametrize("file_format", ["GIF", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(
    served: Served, photos: list[Image.Image], file_format: str
) -> None:
    second = Image.new("RGB", photos[1].size, "lime")

    data = encoded(photos[1], file_format, save_all=True, append_images=[second])

    assert difference(shown(served, data), photos[1]) < 10


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bits_are_scaled_and_not_clipped(
    served: Served, photos: list[Image.Image], file_format: str
) -> None:
    grey = photos[1].convert("L")
    deep = Image.fromarray(np.asarray(grey, np.uint16) * 257)

    assert difference(shown(served, encoded(deep, file_format)), grey) < 1


def test_black_and_white_is_read(served: Served, photos: list[Image.Image]) -> None:
    drawing = photos[1].convert("1")

    assert difference(shown(served, encoded(drawing, "PNG")), drawing) == 0


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_a_pictures_own_transparency_stays(
    served: Served, photos: list[Image.Image], mode: str
) -> None:
    picture = photos[1].convert("LA" if mode == "LA" else "RGBA")
    clear = Image.new("L", picture.size, 255)
    clear.paste(0, (0, 0, picture.width, 100))
    picture.putalpha(clear)
    # A palette's clear entry is written as tRNS.
    data = encoded(picture.quantize(64) if mode == "P" else picture, "PNG")

    alpha = np.asarray(shown(served, data))[..., 3]
    assert not alpha[:100].any()
    assert alpha[100:].max() == 255


@ENGINES
def test_a_display_p3_photo_looks_as_another_engine_shows_it(
    served: Served, photos: list[Image.Image], tmp_path: Path, engine: Engine
) -> None:
    for photo in photos:
        theirs = by_another(engine, photo, P3_PROFILE, tmp_path)
        ours = shown(served, saved(photo, "PNG", P3_PROFILE)).convert("RGB")

        assert delta_e(ours, theirs) <= 2
        assert delta_e(photo, theirs) > 1


@ENGINES
@pytest.mark.skipif(not DEBIAN_CMYK.exists(), reason="libgs-common is not installed")
def test_a_cmyk_photo_looks_as_another_engine_shows_it(
    served: Served, photos: list[Image.Image], tmp_path: Path, engine: Engine
) -> None:
    profile = DEBIAN_CMYK.read_bytes()
    for photo in photos:
        inks = with_black(photo)
        theirs = by_another(engine, inks, profile, tmp_path)

        assert delta_e(shown(served, saved(inks, "TIFF", profile)).convert("RGB"), theirs) <= 2


def test_a_cmyk_photo_is_seen_as_its_profile_prints_it(
    served: Served, photos: list[Image.Image]
) -> None:
    inks = with_black(photos[2])

    ours = shown(served, saved(inks, "JPEG", print_profile())).convert("RGB")

    with Image.open(BytesIO(saved(inks, "JPEG"))) as stored:
        assert delta_e(ours, printed(np.asarray(stored))) < 2
