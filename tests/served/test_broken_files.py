"""Files whose metadata, padding or end is broken: asked of a real server over HTTP."""

import shutil
import subprocess
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.served.conftest import Served
from tests.served.test_pictures import shown
from tests.u2net_cutout.imaging.broken_files import png_chunk
from tests.u2net_cutout.imaging.test_decoding import ASCII, ORIENTATION, SHORT, encoded, exif_of
from tests.u2net_cutout.imaging.test_isobmff_boxes import DESCRIPTION, X_RESOLUTION
from u2net_cutout.imaging.pixel_file import CUT_SHORT

DJPEG = shutil.which("djpeg")
HEADER_END, END_BYTES = 33, 12
Levels = npt.NDArray[np.uint8]


def by_djpeg(file: bytes) -> Levels:
    ppm = subprocess.run([str(DJPEG), "-pnm", "-rgb"], input=file, check=True, capture_output=True)
    return np.asarray(Image.open(BytesIO(ppm.stdout)))


def jpeg(photo: Image.Image, lacking: int, behind: bytes = b"", **options: object) -> bytes:
    file = encoded(photo, "JPEG", quality=90, **options)
    return file[: len(file) - lacking] + behind


def png(photo: Image.Image, chunk: bytes, *, behind: bool = False) -> bytes:
    file = encoded(photo, "PNG", compress_level=1)
    at = len(file) - END_BYTES if behind else HEADER_END
    return file[:at] + chunk + file[at:]


def avif(photo: Image.Image) -> bytes:
    """Return a picture that is turned in words that Pillow can't write again."""
    exif = exif_of((ORIENTATION, SHORT, b"\x06\0"), (0x010E, ASCII, b"seventy-two\0"))
    return encoded(photo, "AVIF", speed=10, exif=b"Exif\0\0" + exif).replace(
        DESCRIPTION, X_RESOLUTION
    )


def turned_avif(photo: Image.Image) -> Levels:
    with Image.open(BytesIO(encoded(photo, "AVIF", speed=10))) as upright:
        return np.rot90(np.asarray(upright.convert("RGB")), -1)


def webp(photo: Image.Image) -> bytes:
    return encoded(photo, "WEBP", lossless=True, method=0, xmp=bytes(999))[:-500]


LARGE = b"0123456789abcdef" * 100_000
COMPRESSED = zlib.compress(LARGE)
Build = Callable[[Image.Image], bytes]
READ: dict[str, Build] = {
    "JPEG without its end": lambda photo: jpeg(photo, 2),
    "JPEG with half of its end": lambda photo: jpeg(photo, 1),
    "progressive JPEG without its end": lambda photo: jpeg(photo, 2, progressive=True),
    "JPEG without its end, and zeros": lambda photo: jpeg(photo, 2, bytes(4096)),
    "JPEG and garbage": lambda photo: jpeg(photo, 0, b"\xff\xd8\xff\xda garbage" * 99),
    "PNG with a large zTXt": lambda photo: png(photo, png_chunk(b"zTXt", b"a\0\0" + COMPRESSED)),
    "PNG with a large iTXt behind its pixels": lambda photo: png(
        photo, png_chunk(b"iTXt", b"a\0\1\0\0\0" + COMPRESSED), behind=True
    ),
    "pHYs": lambda photo: png(photo, png_chunk(b"pHYs", bytes(9), wrong=1)),
    "tIME": lambda photo: png(photo, png_chunk(b"tIME", bytes(7), wrong=1)),
    "iTXt": lambda photo: png(photo, png_chunk(b"iTXt", b"a\0\0\0\0\0b", wrong=1)),
    "pHYs of a byte": lambda photo: png(photo, png_chunk(b"pHYs", b"1")),
    "AVIF with an odd resolution": avif,
    "WebP cut in its XMP": webp,
}
CUT: dict[str, Build] = {
    "JPEG": lambda photo: jpeg(photo, 500),
    "padded JPEG": lambda photo: jpeg(photo, 500, bytes(500)),
    "progressive JPEG": lambda photo: jpeg(photo, 500, progressive=True),
    "PNG": lambda photo: png(photo, b"")[:-500],
    "WebP": lambda photo: encoded(photo, "WEBP", method=0)[:-500],
}


@pytest.mark.skipif(DJPEG is None, reason="libjpeg-turbo-progs is not installed")
@pytest.mark.parametrize("name", READ)
def test_broken_metadata_and_ends_cost_no_picture(
    served: Served, photos: list[Image.Image], name: str
) -> None:
    photo, file = photos[1], READ[name](photos[1])
    if "JPEG" in name:
        expected = by_djpeg(encoded(photo, "JPEG", quality=90, progressive="progressive" in name))
    else:
        expected = turned_avif(photo) if "AVIF" in name else np.asarray(photo)

    assert np.array_equal(np.asarray(shown(served, file))[..., :3], expected)


@pytest.mark.parametrize("name", CUT)
def test_a_file_that_is_cut_is_refused(
    served: Served, photos: list[Image.Image], name: str
) -> None:
    response = served.ask(files={"image_file": CUT[name](photos[1])})

    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["code"], error["detail"]) == ("failed_to_read_image", CUT_SHORT)


def test_more_text_than_metadata_may_be_is_refused(
    served: Served, photos: list[Image.Image]
) -> None:
    text = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(17 << 20)))

    response = served.ask(files={"image_file": png(photos[1], text)})

    assert response.status_code == 413
    assert response.headers["X-Error-Code"] == "metadata_too_large"
