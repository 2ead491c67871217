"""From a picture's own colours to sRGB. Knows Pillow and littlecms; knows no file and no request.

Profiles: ICC.1:2022 (https://www.color.org/specification/ICC.1-2022-05.pdf).
"""

from collections import OrderedDict
from collections.abc import Mapping
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

# Which modes a profile converts, by its colour space (ICC.1, table 19). Of RGBA littlecms reads and
# writes three bytes of four: alpha stays.
MODES = {"RGB": ("RGB", "RGBA"), "GRAY": ("L",), "CMYK": ("CMYK",)}

# Levels of 255 by which a conversion may move a colour and still be none: profiles of sRGB
# itself differ so much in how they round.
SAME = 1
PROBE_STEPS = 17
REMEMBERED_PROFILES = 16


@dataclass(frozen=True)
class Conversion:
    """How pictures of one profile become sRGB."""

    transforms: Mapping[str, ImageCms.ImageCmsTransform]
    """By the mode that they read; none where they would leave every colour as it is."""


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

    Where that is its mode already, it is changed in place. Alpha is left as it is. Without a
    profile, or with one that is broken or not made for such a picture, the levels are taken for
    sRGB, and CMYK inks for ideal filters: red is (1 - cyan) * (1 - black).
    """
    conversion = CONVERSIONS.find(profile) if profile else None
    transforms = conversion.transforms if conversion else {}
    if picture.mode == "CMYK" and picture.mode in transforms:
        return transforms[picture.mode].apply(picture)
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    shown = picture if picture.mode == mode else picture.convert(mode)
    if picture.mode in ("CMYK", "LAB"):  # Lab needs no profile, and an RGB one is not its own
        return shown
    if shown.mode in transforms:
        return transforms[shown.mode].apply_in_place(shown)
    # Decoders may hand over as RGB what is grey in the file, such as 16-bit grey with alpha.
    if "L" in transforms and _is_grey(shown):
        converted = transforms["L"].apply(shown.getchannel("R"))
        if shown.mode == "RGBA":
            converted.putalpha(shown.getchannel("A"))
        return converted
    return shown


def build_conversion(profile: bytes) -> Conversion | None:
    """Read an ICC profile and find out what it does to colours.

    Whether it is sRGB is asked of its colours, not of its name: there are dozens of profiles of
    sRGB, and some that are called so and are not.
    """
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        transforms = {
            mode: _transform(source, target, mode)
            for mode in MODES[source.profile.xcolor_space.strip()]
        }
    except (OSError, ValueError, KeyError):
        return None
    return Conversion({} if _change_nothing(transforms) else transforms)


def _transform(
    source: ImageCms.ImageCmsProfile, target: ImageCms.ImageCmsProfile, mode: str
) -> ImageCms.ImageCmsTransform:
    result = "RGBA" if mode == "RGBA" else "RGB"
    return ImageCms.ImageCmsTransform(source, target, mode, result, INTENT, flags=FLAGS)


def _change_nothing(transforms: Mapping[str, ImageCms.ImageCmsTransform]) -> bool:
    mode = next(iter(transforms))
    if mode == "CMYK":
        return False
    probe = _probe(mode)
    shown = np.asarray(transforms[mode].apply(probe), np.int16)
    return bool(np.abs(shown - np.asarray(probe.convert("RGB"), np.int16)).max() <= SAME)


def _probe(mode: str) -> Image.Image:
    """Return all the greys, or a grid through all the colours."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    steps = np.linspace(0, 255, PROBE_STEPS).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
    return Image.fromarray(grid.reshape(PROBE_STEPS, -1, 3))


def _is_grey(picture: Image.Image) -> bool:
    red, green, blue = picture.split()[:3]
    return not any(ImageChops.difference(red, other).getbbox() for other in (green, blue))
