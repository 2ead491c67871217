"""The photos that are sent: real ones out of a Debian package, or those of a folder.

Photos are made smaller, never larger: enlarged ones flatter PNG. No model was calibrated on them.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from scripts.measure.kit.debian import unpack
from scripts.measure.kit.errors import BenchError

PACKAGE = "lomiri-wallpapers-16.04"
OTHERWISE = (
    "name photos of your own, make bench PICTURES=/folder, with 0.4.jpg, 1.5.jpg and 12.jpg "
    "of that many megapixels; all that is in it is used to compare masks"
)
JPEG_QUALITY = 92

# The masks are made from 320 x 320 pixels, whatever the size; these decode quickly.
MASK_MEGAPIXELS = 1.0


@dataclass(frozen=True)
class Source:
    """A photo of the package: its file, who took it, and how it may be used."""

    file: str
    credit: str


FIG = Source("Picture_0B_by_freespace.jpg", 'Trevor "Freespace", CC-BY-4.0')
DOGS = Source("friends_by_Aitzol_Berasategi.jpg", "Aitzol Berasategi, CC-BY-4.0")
DANDELION = Source("seeding_by_Clements_Engelhardt.jpg", "Clemens Engelhardt, CC0-1.0")

# What the servers are timed with, by megapixels.
TIMED = {"0.4": DOGS, "1.5": FIG, "12": DANDELION}

# Every photograph of the package; the rest are drawings.
PHOTOGRAPHS = (
    FIG,
    DOGS,
    DANDELION,
    Source("Bridge_by_Sander_Klootwijk.jpg", "Sander Klootwijk, CC-BY-SA-4.0"),
    Source("Dragonfly_by_Bolly.jpg", '"Bolly", CC-BY-SA-4.0'),
    Source("Picture_1A_by_freespace.jpg", 'Trevor "Freespace", CC-BY-4.0'),
    Source("Wine_by_Jakkub_Mede.jpg", "Jakub Mede, CC-BY-4.0"),
    Source("aitzgorri_by_Aitzol_Berasategi.jpg", "Aitzol Berasategi, CC-BY-4.0"),
    Source("free_by_Peter_Nerlich.jpg", "Peter Nerlich, CC-BY-SA-4.0"),
    Source("greentock_by_Peter_Nerlich.jpg", "Peter Nerlich, CC-BY-SA-4.0"),
    Source("life_by_Aitzol_Berasategi.jpg", "Aitzol Berasategi, CC-BY-4.0"),
    Source("picosdeeuropa_by_Aitzol_Berasategi.jpg", "Aitzol Berasategi, CC-BY-4.0"),
    Source("sunset_by_Aitzol_Berasategi.jpg", "Aitzol Berasategi, CC-BY-4.0"),
)


@dataclass(frozen=True)
class Picture:
    """A JPEG on disk."""

    name: str
    path: str
    width: int
    height: int
    file_bytes: int
    credit: str

    @classmethod
    def of(cls, name: str, path: Path, credit: str) -> "Picture":
        """Describe a file.

        Raises:
            BenchError: it is not a picture.
        """
        try:
            with Image.open(path) as image:
                width, height = image.size
        except OSError as error:
            raise BenchError(f"{path} is not a readable picture: {OTHERWISE}") from error
        return cls(name, str(path), width, height, path.stat().st_size, credit)


@dataclass(frozen=True)
class Pictures:
    """What one run sends."""

    timed: dict[str, Picture]
    masks: list[Picture]


def pictures_in(folder: Path) -> Pictures:
    """Take the photos of a folder.

    Raises:
        BenchError: one that is needed is not there.
    """
    timed = {
        name: Picture.of(name, folder / f"{name}.jpg", f"{folder.name}/{name}.jpg")
        for name in TIMED
    }
    masks = [Picture.of(path.stem, path, path.name) for path in sorted(folder.glob("*.jpg"))]
    return Pictures(timed, masks)


def fetch_pictures(folder: Path) -> Pictures:
    """Fetch the package into `folder`, and write the photos in the sizes that are sent.

    Raises:
        BenchError: the package can't be fetched.
    """
    found = unpack(PACKAGE, folder, OTHERWISE) / "usr" / "share" / "backgrounds"
    timed = {
        name: _resized(found, source, folder / f"{name}.jpg", float(name))
        for name, source in TIMED.items()
    }
    masks = [
        _resized(found, source, folder / "masks" / source.file, MASK_MEGAPIXELS)
        for source in PHOTOGRAPHS
    ]
    return Pictures({name: dataclasses.replace(timed[name], name=name) for name in timed}, masks)


def _resized(found: Path, source: Source, target: Path, megapixels: float) -> Picture:
    """Write a photo upright and reduced to this many megapixels, unless it is there."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(found / source.file) as image:
            photo = ImageOps.exif_transpose(image).convert("RGB")
        scale = (megapixels * 1e6 / (photo.width * photo.height)) ** 0.5
        size = round(photo.width * scale), round(photo.height * scale)
        if scale < 1:
            photo = photo.resize(size, Image.Resampling.LANCZOS)
        photo.save(target, "JPEG", quality=JPEG_QUALITY)
    return Picture.of(target.stem, target, f"{source.file}, {source.credit}")
