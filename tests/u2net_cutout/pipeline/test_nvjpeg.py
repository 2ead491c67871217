from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from u2net_cutout.contract.errors import UnreadableImage
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.pipeline.nvjpeg import DeviceJpegDecoder, choose_jpeg_decoder, is_plain, prove

# torchvision's decoder on the CPU stands in for the one on a GPU.
DECODER = DeviceJpegDecoder(torch.device("cpu"))

pytestmark = pytest.mark.filterwarnings(r"ignore:.*torchcodec:DeprecationWarning")

ORIENTATION = 0x0112


def jpeg(picture: Image.Image, **options: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_a_plain_photo_is_decoded_on_the_device(
    photos: list[Image.Image], limits: Limits, subsampling: str
) -> None:
    data = jpeg(photos[1], quality=90, subsampling=subsampling, exif=turned(1))

    decoded = DECODER(opened(data), data)

    assert decoded is not None
    assert (decoded.mode, decoded.size) == ("RGB", photos[1].size)
    expected = np.asarray(decode_image(data, limits), np.float32)
    assert np.abs(np.asarray(decoded) - expected).mean() <= 2


def srgb_like() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"progressive": True}),
        ("RGB", {"exif": turned(6)}),
        ("RGB", {"icc_profile": srgb_like()}),
        ("RGB", {"keep_rgb": True}),
        ("CMYK", {}),
        ("L", {}),
    ],
    ids=["progressive", "turned", "profile", "stored as RGB", "CMYK", "grey"],
)
def test_what_is_not_plain_is_left_to_pillow(
    photos: list[Image.Image], limits: Limits, mode: str, options: dict[str, Any]
) -> None:
    data = jpeg(photos[1].convert(mode), **options)

    assert DECODER(opened(data), data) is None
    asked = decode_image(data, limits, DECODER)
    assert asked.tobytes() == decode_image(data, limits).tobytes()


def test_other_formats_are_left_to_pillow(photos: list[Image.Image]) -> None:
    buffer = BytesIO()
    photos[1].save(buffer, "PNG")

    assert not is_plain(opened(buffer.getvalue()), buffer.getvalue())


def test_a_photo_cut_short_is_refused_as_ever(photos: list[Image.Image], limits: Limits) -> None:
    data = jpeg(photos[1])[:-1000]

    with pytest.raises(UnreadableImage):
        decode_image(data, limits, DECODER)


def test_what_the_device_fails_on_is_left_to_pillow(
    photos: list[Image.Image], limits: Limits, caplog: pytest.LogCaptureFixture
) -> None:
    data = jpeg(photos[1])
    # It keeps no data: like a GPU, it may fail over anything.
    failing = DeviceJpegDecoder(torch.device("cuda", 99))

    asked = decode_image(data, limits, failing)

    assert asked.tobytes() == decode_image(data, limits).tobytes()
    assert "nvJPEG does not take" in caplog.text


def test_a_limit_counts_before_the_device_is_asked(photos: list[Image.Image]) -> None:
    def never(image: Image.Image, data: bytes | bytearray) -> None:
        raise AssertionError("asked")

    with pytest.raises(Exception, match="the limit is"):
        decode_image(jpeg(photos[1]), Limits(10**6, 10, 10**6), never)


def test_a_decoder_that_sees_what_pillow_sees_is_believed() -> None:
    prove(DECODER)


def test_a_decoder_that_sees_something_else_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeviceJpegDecoder, "decode", lambda *_: Image.new("RGB", (64, 48)))

    with pytest.raises(ModelLoadError, match="wrongly"):
        prove(DECODER)


@pytest.mark.parametrize("config", [{}, {"jpeg_decoder": "libjpeg-turbo"}])
def test_unless_asked_otherwise_pillow_decodes(config: dict[str, str]) -> None:
    assert choose_jpeg_decoder(config, torch.device("cuda", 0)) is None


def test_nvjpeg_that_does_not_decode_says_what_to_do() -> None:
    with pytest.raises(ModelLoadError, match="take jpeg_decoder out of model-config"):
        choose_jpeg_decoder({"jpeg_decoder": "nvjpeg"}, torch.device("cuda", 99))


def test_nvjpeg_needs_a_gpu() -> None:
    with pytest.raises(ModelLoadError, match="needs a GPU"):
        choose_jpeg_decoder({"jpeg_decoder": "nvjpeg"}, torch.device("cpu"))


def test_another_decoder_is_not_known() -> None:
    with pytest.raises(ModelLoadError, match="libjpeg-turbo or nvjpeg, not djpeg"):
        choose_jpeg_decoder({"jpeg_decoder": "djpeg"}, torch.device("cpu"))


def test_the_decoder_tells_where_it_runs() -> None:
    assert DeviceJpegDecoder(torch.device("cuda", 1)).description == "nvjpeg on cuda:1"
