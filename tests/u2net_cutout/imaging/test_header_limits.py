"""Headers exactly at each limit, and one beyond."""

import struct
import zlib
from dataclasses import replace
from io import BytesIO

import pytest
import yaml
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.conftest import ROOT
from u2net_cutout.contract.errors import (
    MetadataTooLarge,
    ResolutionTooHigh,
    SideTooLong,
    TooManyFrames,
)
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.header_limits import check_header

CONFIG = yaml.safe_load((ROOT / "handler" / "model-config.yaml").read_text(encoding="utf-8"))
DEFAULTS = Limits.from_config(CONFIG)


def header(width: int, height: int) -> Image.Image:
    """Open a PNG that has nothing but a header."""
    data = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    head = struct.pack(">I", 13) + data + struct.pack(">I", zlib.crc32(data))
    return Image.open(BytesIO(b"\x89PNG\r\n\x1a\n" + head + struct.pack(">I4s", 0, b"IDAT")))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    "size",
    [(8160, 6144), (8192, 6144), (8688, 5792), (8256, 6192), (8000, 6500), (6500, 8000)],
)
def test_by_default_cameras_of_50_megapixels_are_within_the_limit(size: tuple[int, int]) -> None:
    check_header(header(*size), DEFAULTS)


@pytest.mark.parametrize("size", [(8000, 6500), (6500, 8000)])
def test_so_many_pixels_are_allowed_and_one_more_is_not(size: tuple[int, int]) -> None:
    pixels = 8000 * 6500
    check_header(header(*size), replace(DEFAULTS, max_pixels=pixels))

    with pytest.raises(ResolutionTooHigh, match=f"the limit is {pixels - 1} in all"):
        check_header(header(*size), replace(DEFAULTS, max_pixels=pixels - 1))


@pytest.mark.parametrize("turned", [False, True])
def test_a_side_may_be_as_long_as_the_limit_and_no_longer(turned: bool) -> None:
    longest, longer = (65_536, 700), (65_537, 700)
    check_header(header(*(longest[::-1] if turned else longest)), DEFAULTS)

    with pytest.raises(SideTooLong, match="the limit is 65536 along a side"):
        check_header(header(*(longer[::-1] if turned else longer)), DEFAULTS)


def test_there_may_be_as_much_metadata_as_the_limit_and_no_more() -> None:
    info, file = PngInfo(), BytesIO()
    info.add_text("one", "x" * 600)
    info.add_text("other", "x" * 400)
    Image.new("L", (1, 1)).save(file, "PNG", pnginfo=info)
    picture = Image.open(file)
    check_header(picture, replace(DEFAULTS, max_metadata_bytes=1000))

    with pytest.raises(MetadataTooLarge, match="1000 bytes of metadata; the limit is 999"):
        check_header(picture, replace(DEFAULTS, max_metadata_bytes=999))


def opened(file_format: str, frames: int = 1, **options: object) -> Image.Image:
    buffer = BytesIO()
    pictures = [Image.new("RGB", (30, 20), (each * 20, 0, 0)) for each in range(frames)]
    pictures[0].save(
        buffer, file_format, save_all=frames > 1, append_images=pictures[1:], **options
    )
    return Image.open(buffer)


@pytest.mark.parametrize("file_format", ["WEBP", "AVIF"])
def test_frames_are_allowed_up_to_the_limit_itself(file_format: str) -> None:
    animation = opened(file_format, frames=3)

    check_header(animation, replace(DEFAULTS, max_frames=3))
    with pytest.raises(TooManyFrames, match="has 3 frames; the limit is 2"):
        check_header(animation, replace(DEFAULTS, max_frames=2))


def test_frames_that_are_never_listed_are_not_counted() -> None:
    check_header(opened("GIF", frames=3), replace(DEFAULTS, max_frames=1))


def test_the_frames_of_a_heic_are_counted() -> None:
    picture = Image.new("RGB", (1, 1))
    picture.format = "HEIF"
    vars(picture)["n_frames"] = 3

    check_header(picture, replace(DEFAULTS, max_frames=3))
    with pytest.raises(TooManyFrames):
        check_header(picture, replace(DEFAULTS, max_frames=2))


@pytest.mark.parametrize("file_format", ["WEBP", "PNG"])
def test_a_picture_that_counts_no_frames_has_one(file_format: str) -> None:
    picture = Image.new("RGB", (2, 2))
    picture.format = file_format

    check_header(picture, replace(DEFAULTS, max_frames=1))
