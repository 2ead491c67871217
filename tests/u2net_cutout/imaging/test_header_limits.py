from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

from u2net_cutout.contract.errors import (
    CutoutError,
    MetadataTooLarge,
    ResolutionTooHigh,
    SideTooLong,
    TooManyFrames,
)
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.header_limits import check_header, check_size


def opened(file_format: str, frames: int = 1, **options: object) -> Image.Image:
    buffer = BytesIO()
    pictures = [Image.new("RGB", (30, 20), (each * 20, 0, 0)) for each in range(frames)]
    pictures[0].save(
        buffer, file_format, save_all=frames > 1, append_images=pictures[1:], **options
    )
    return Image.open(buffer)


@pytest.mark.parametrize(
    ("limit", "value", "refusal", "detail"),
    [
        ("max_pixels", 600, ResolutionTooHigh, r"30 x 20 pixels; the limit is 599 in all"),
        ("max_side", 30, SideTooLong, r"30 x 20 pixels; the limit is 29 along a side"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_size_is_allowed_up_to_the_limit_itself(
    limits: Limits, limit: str, value: int, refusal: type[CutoutError], detail: str, turned: bool
) -> None:
    picture = opened("PNG")
    if turned:
        picture, detail = (
            picture.transpose(Image.Transpose.ROTATE_90),
            detail.replace("30 x 20", "20 x 30"),
        )

    for check in (check_size, check_header):
        check(picture, replace(limits, **{limit: value}))
        with pytest.raises(refusal, match=detail):
            check(picture, replace(limits, **{limit: value - 1}))


@pytest.mark.parametrize("file_format", ["WEBP", "AVIF"])
def test_frames_are_allowed_up_to_the_limit_itself(limits: Limits, file_format: str) -> None:
    animation = opened(file_format, frames=3)

    check_header(animation, replace(limits, max_frames=3))
    with pytest.raises(TooManyFrames, match="has 3 frames; the limit is 2"):
        check_header(animation, replace(limits, max_frames=2))


def test_frames_that_are_never_listed_are_not_counted(limits: Limits) -> None:
    check_header(opened("GIF", frames=3), replace(limits, max_frames=1))


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_metadata_is_allowed_up_to_the_limit_itself(limits: Limits, file_format: str) -> None:
    # Of a JPEG and a TIFF, Pillow names more than the profile; how much, no profile shows.
    others = sum(
        len(text) for text in opened(file_format).info.values() if isinstance(text, bytes | str)
    )
    picture = opened(file_format, icc_profile=bytes(1000))

    check_header(picture, replace(limits, max_metadata_bytes=1000 + others))
    with pytest.raises(MetadataTooLarge, match=f"has {1000 + others} bytes of metadata; the limit"):
        check_header(picture, replace(limits, max_metadata_bytes=999 + others))


def test_texts_count_in_all(limits: Limits) -> None:
    picture = opened("PNG")
    picture.info |= {"one": "x" * 60, "other": b"x" * 40, "number": 7}

    check_header(picture, replace(limits, max_metadata_bytes=100))
    with pytest.raises(MetadataTooLarge):
        check_header(picture, replace(limits, max_metadata_bytes=99))
