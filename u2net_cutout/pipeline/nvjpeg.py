"""Decodes plain JPEGs on a GPU, in NVIDIA's nvJPEG, where the model's configuration asks for it.

Its pixels differ by a level or two from those of libjpeg-turbo, with which Pillow decodes, and so
do the cutouts. Pillow decodes what is not plain. API:
https://docs.pytorch.org/vision/stable/generated/torchvision.io.decode_jpeg.html
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image

from u2net_cutout.imaging.exif import UPRIGHT, find_orientation
from u2net_cutout.imaging.icc_profile import find_profile
from u2net_cutout.network.errors import ModelLoadError

logger = logging.getLogger(__name__)

SETTING = "jpeg_decoder"
PILLOW, NVJPEG = "libjpeg-turbo", "nvjpeg"

JPEG_END = b"\xff\xd9"
# Luma at full size or twice that of chroma, by the numbers that JFIF gives the three components.
CHROMA = ((2, 1, 1), (3, 1, 1))
LUMA = ((1, 1, 1), (1, 2, 1), (1, 2, 2))
# Levels of 255 by which decoders may differ: on average over a picture.
SAME = 2


@dataclass(frozen=True)
class DeviceJpegDecoder:
    """torchvision's decoder on one device, which is nvJPEG if that is a GPU."""

    device: torch.device

    @property
    def description(self) -> str:
        """What decodes, and where."""
        return f"{NVJPEG} on {self.device}"

    def __call__(self, opened: Image.Image, data: bytes | bytearray) -> Image.Image | None:
        """Decode a file that Pillow opened: mode RGB. None: it is for Pillow, or broken."""
        if not is_plain(opened, data):
            return None
        try:
            picture = self.decode(data)
        except RuntimeError as error:  # also a GPU without memory
            logger.warning("nvJPEG does not take a JPEG that looks plain: %s", error)
            return None
        return picture if picture.size == opened.size else None

    def decode(self, data: bytes | bytearray) -> Image.Image:
        """Decode a plain JPEG.

        Raises:
            RuntimeError: it is none, or the device can't.
        """
        from torchvision.io import ImageReadMode, decode_jpeg  # takes a second, and few need it

        file = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        pixels = decode_jpeg(file, ImageReadMode.RGB, device=self.device)
        return Image.fromarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())


def choose_jpeg_decoder(
    config: Mapping[str, Any], device: torch.device
) -> DeviceJpegDecoder | None:
    """Return the decoder that a model configuration asks for; None: Pillow alone.

    Raises:
        ModelLoadError: there is no such decoder, or not here.
    """
    name = config.get(SETTING, PILLOW)
    if name == PILLOW:
        return None
    if name != NVJPEG:
        raise ModelLoadError(f"{SETTING} in model-config.yaml is {PILLOW} or {NVJPEG}, not {name}")
    if device.type != "cuda":
        raise ModelLoadError(f"{SETTING}: {NVJPEG} in model-config.yaml needs a GPU")
    decoder = DeviceJpegDecoder(device)
    prove(decoder)
    return decoder


def prove(decoder: DeviceJpegDecoder) -> None:
    """Decode a small picture and hold it against Pillow's.

    Raises:
        ModelLoadError: it can't, or sees something else.
    """
    ramp = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(np.dstack([ramp, ramp + 60, 200 - ramp])).save(file, "JPEG", quality=90)
    try:
        picture = decoder.decode(file.getvalue())
    except (ImportError, RuntimeError) as error:
        raise ModelLoadError(
            f"{decoder.description} does not decode: install a CUDA build of torchvision, or take "
            f"{SETTING} out of model-config.yaml ({error})"
        ) from error
    with Image.open(file) as expected:
        difference = np.asarray(picture, np.float32) - np.asarray(expected, np.float32)
    if np.abs(difference).mean() > SAME:
        raise ModelLoadError(f"{decoder.description} decodes a picture wrongly")


def is_plain(opened: Image.Image, data: bytes | bytearray) -> bool:
    """Say whether an opened file is a whole, upright JPEG of one pass, in YCbCr and sRGB."""
    if opened.format != "JPEG" or opened.mode != "RGB" or not data.endswith(JPEG_END):
        return False
    if "progressive" in opened.info or opened.info.get("adobe_transform", 1) != 1:
        return False
    first, *others = (layer[:3] for layer in opened.layer)  # type: ignore[attr-defined]
    if first not in LUMA or tuple(others) != CHROMA:
        return False
    upright = find_orientation(opened.info.get("exif") or b"") == UPRIGHT
    return upright and find_profile(opened, data) is None
