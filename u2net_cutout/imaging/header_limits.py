"""Holds an opened picture against the limits, before its pixels are decoded. Knows Pillow."""

from PIL import Image

from u2net_cutout.contract.errors import (
    MetadataTooLarge,
    ResolutionTooHigh,
    SideTooLong,
    TooManyFrames,
)
from u2net_cutout.contract.limits import Limits

# Their decoders list all frames when they open a file; Pillow would read others through to count.
LISTING_FORMATS = ("WEBP", "AVIF", "HEIF")


def check_header(image: Image.Image, limits: Limits, ignored_bytes: int = 0) -> None:
    """Refuse what a picture's header alone shows to be over a limit.

    `ignored_bytes` is the length of the metadata that the picture was opened without.

    Raises:
        ResolutionTooHigh, SideTooLong, TooManyFrames, MetadataTooLarge: it is.
    """
    check_size(image, limits)
    frames = getattr(image, "n_frames", 1) if image.format in LISTING_FORMATS else 1
    if frames > limits.max_frames:
        raise TooManyFrames(f"the animation has {frames} frames; the limit is {limits.max_frames}")
    read = sum(len(text) for text in image.info.values() if isinstance(text, bytes | str))
    metadata = ignored_bytes + read
    if metadata > limits.max_metadata_bytes:
        raise MetadataTooLarge(
            f"the picture has {metadata} bytes of metadata; the limit is "
            f"{limits.max_metadata_bytes}"
        )


def check_size(image: Image.Image, limits: Limits) -> None:
    """Refuse a picture of too many pixels, in all or along a side.

    Raises:
        ResolutionTooHigh, SideTooLong: it has.
    """
    width, height = image.size
    if width * height > limits.max_pixels:
        raise ResolutionTooHigh(
            f"the picture has {width} x {height} pixels; the limit is {limits.max_pixels} in all"
        )
    if max(width, height) > limits.max_side:
        raise SideTooLong(
            f"the picture has {width} x {height} pixels; the limit is {limits.max_side} along a "
            "side"
        )
