"""Local cutouts, compared with those that the server makes of the whole picture."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from scripts.torchserve.management_api import ManagementApi
from tests.served.client_runs import client
from tests.served.conftest import Served
from u2net_cutout import CutoutClient, connect, remove
from u2net_cutout.client.local_composite import MOST_PROXY_SIDE, composite

# Levels of 255 by which alpha may differ on average: JPEG has been over the copy.
ALPHA_BOUND = 0.005 * 255


@pytest.fixture
def connected(served: Served) -> Iterator[CutoutClient]:
    key = ManagementApi(served.config).token("inference")
    with connect(served.config.inference_address, key=key, model="u2netp") as opened:
        yield opened


def large(photo: Image.Image) -> Image.Image:
    return photo.resize((photo.width * 4, photo.height * 4), Image.Resampling.LANCZOS)


def encoded(image: Image.Image, kind: str, **how: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def with_hole(photo: Image.Image) -> Image.Image:
    whole = photo.convert("RGBA")
    whole.paste((0, 0, 0, 90), (0, 0, photo.width // 2, photo.height))
    return whole


def turned(photo_file: Path) -> bytes:
    """A JPEG that carries another colour space and lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(photo_file) as rocket:  # in Adobe RGB
        lying = large(rocket).transpose(Image.Transpose.ROTATE_90)
        return encoded(lying, "JPEG", exif=exif, icc_profile=rocket.info["icc_profile"])


def pixels(content: bytes) -> npt.NDArray[np.int16]:
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image.convert("RGBA"), np.int16)


@pytest.mark.parametrize("kind", ["large", "small", "turned", "hole", "grey", "cmyk"])
def test_it_is_what_the_server_makes_of_the_whole_picture(
    connected: CutoutClient, photos: list[Image.Image], photo_files: list[Path], kind: str
) -> None:
    picture = {
        "large": lambda: encoded(large(photos[1]), "PNG"),
        "small": lambda: encoded(photos[0], "PNG"),
        "turned": lambda: turned(photo_files[3]),
        "hole": lambda: encoded(with_hole(large(photos[1])), "PNG"),
        "grey": lambda: encoded(large(photos[1]).convert("L"), "TIFF"),
        "cmyk": lambda: encoded(large(photos[2]).convert("CMYK"), "JPEG", quality=95),
    }[kind]()

    made = composite(connected, picture, {"format": "png"})

    theirs = pixels(connected.cut_out(picture, {"format": "png", "edges": "plain"}).content)
    ours = pixels(made.cutout.content)
    assert made.cutout.content_type == "image/png"
    assert ours.shape == theirs.shape
    assert np.abs(ours[:, :, 3] - theirs[:, :, 3]).mean() < ALPHA_BOUND
    seen = (ours[:, :, 3] > 0) & (theirs[:, :, 3] > 0)
    assert np.array_equal(ours[seen, :3], theirs[seen, :3])
    assert seen.any()
    assert made.received < len(made.cutout.content)


def test_few_bytes_are_sent_and_received(
    connected: CutoutClient, photos: list[Image.Image]
) -> None:
    picture = encoded(large(photos[1]), "PNG")

    made = composite(connected, picture, {"format": "png"})

    assert made.sent * 5 < len(picture)
    assert made.received * 5 < len(made.cutout.content)


def test_the_matte_alone_is_made_as_well(
    connected: CutoutClient, photos: list[Image.Image]
) -> None:
    matte = remove(large(photos[1]), client=connected, composite=True, channels="alpha")
    cutout = remove(large(photos[1]), client=connected, composite=True)

    assert matte.mode == "L"
    assert max(matte.size) > MOST_PROXY_SIDE
    assert np.array_equal(np.asarray(matte), np.asarray(cutout)[:, :, 3])


def test_the_saved_bytes_are_printed(
    served: Served, photo_files: list[Path], tmp_path: Path
) -> None:
    done = client(served, "i", "--composite", photo_files[1], tmp_path / "a.webp")

    assert done.returncode == 0
    assert b"MB saved" in done.stderr
    with Image.open(tmp_path / "a.webp") as cutout, Image.open(photo_files[1]) as photo:
        assert (cutout.format, cutout.size) == ("WEBP", photo.size)
