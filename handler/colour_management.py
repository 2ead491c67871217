"""From a picture's own colours to sRGB. Knows Pillow and littlecms; knows no file and no request.

What a profile is stands in ICC.1:2022 (https://www.color.org/specification/ICC.1-2022-05.pdf).
"""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from threading import Lock

import numpy as np
from PIL import Image, ImageChops, ImageCms

# Colours that sRGB has come out as they are, those that it lacks as near as it gets, and the
# darkest of a print is black; it is what photo editors do. "Perceptual", which many profiles name
# in their header, also moves the colours that fit, and each vendor moves them otherwise.
INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION

# Which pictures a profile speaks of, by its colour space (ICC.1, table 19).
MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
GREY_MODES = ("1", "L", "LA")

# Levels of 255 by which a conversion may move a colour and still be none: profiles of sRGB
# itself differ so much in how they round.
SAME = 1
PROBE_STEPS = 17
REMEMBERED_PROFILES = 16


@dataclass(frozen=True)
class Conversion:
    """How pictures of one profile become sRGB."""

    mode: str
    """What it converts: RGB, L or CMYK."""
    transform: ImageCms.ImageCmsTransform | None
    """None where it would leave every colour as it is."""


class Conversions:
    """The conversions of the profiles last met, found by the hash of a profile."""

    def __init__(self, size: int = REMEMBERED_PROFILES) -> None:
        self.size = size
        self._lock = Lock()
        self._known: OrderedDict[bytes, Conversion | None] = OrderedDict()

    def find(self, profile: bytes) -> Conversion | None:
        """Return a profile's conversion, or None if it is broken or of no use for pictures."""
        key = sha256(profile).digest()
        with self._lock:
            if key not in self._known:
                self._known[key] = build_conversion(profile)
            self._known.move_to_end(key)
            if len(self._known) > self.size:
                self._known.popitem(last=False)
            return self._known[key]


CONVERSIONS = Conversions()


def to_srgb(picture: Image.Image, profile: bytes | None = None) -> Image.Image:
    """Return a picture of 8-bit channels in sRGB: mode RGB, or RGBA if it has alpha.

    Alpha is left as it is. Without a profile, or with one that is broken or not made for such a
    picture, the levels are taken for sRGB, and CMYK inks for ideal filters: red is
    (1 - cyan) * (1 - black).
    """
    conversion = CONVERSIONS.find(profile) if profile else None
    transform = conversion.transform if conversion else None
    if conversion is None or transform is None:
        return _as_rgb(picture)
    if "CMYK" in (picture.mode, conversion.mode):
        fits = picture.mode == conversion.mode
        return transform.apply(picture) if fits else _as_rgb(picture)

    shown = _as_rgb(picture)
    if conversion.mode == "RGB":
        # Pillow lets littlecms read and write the first three of four bytes: alpha stays.
        return transform.apply_in_place(shown)
    # Decoders may hand over as RGB what is grey in the file, such as 16-bit grey with alpha.
    if picture.mode not in GREY_MODES and not _is_grey(shown):
        return shown
    converted = transform.apply(shown.getchannel("R"))
    if shown.mode == "RGBA":
        converted.putalpha(shown.getchannel("A"))
    return converted


def build_conversion(profile: bytes) -> Conversion | None:
    """Read an ICC profile and find out what it does to colours.

    Whether it is sRGB is asked of its colours, not of its name: there are dozens of profiles of
    sRGB, and some that are called so and are not.
    """
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        mode = MODES[source.profile.xcolor_space.strip()]
        target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        transform = ImageCms.ImageCmsTransform(source, target, mode, "RGB", INTENT, flags=FLAGS)
    except (ImageCms.PyCMSError, OSError, ValueError, KeyError):
        return None
    if mode == "CMYK":
        return Conversion(mode, transform)
    probe = _probe(mode)
    moved = np.asarray(transform.apply(probe), np.int16) - np.asarray(
        probe.convert("RGB"), np.int16
    )
    return Conversion(mode, None if np.abs(moved).max() <= SAME else transform)


def _probe(mode: str) -> Image.Image:
    """Return all the greys, or a grid through all the colours."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    steps = np.linspace(0, 255, PROBE_STEPS).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
    return Image.fromarray(grid.reshape(PROBE_STEPS, -1, 3))


def _as_rgb(picture: Image.Image) -> Image.Image:
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _is_grey(picture: Image.Image) -> bool:
    red, green, blue = picture.split()[:3]
    return not any(ImageChops.difference(red, other).getbbox() for other in (green, blue))
