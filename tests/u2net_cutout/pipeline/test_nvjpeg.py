from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
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


@pytest.mark.parametrize("name", ["PNG", "BMP"])
def test_other_formats_are_left_to_pillow(photos: list[Image.Image], name: str) -> None:
    buffer = BytesIO()
    photos[1].save(buffer, name)
    # Ended as a JPEG.
    data = buffer.getvalue() + b"\xff\xd9"

    assert not is_plain(opened(data), data)


def test_a_file_that_does_not_end_is_not_plain(photos: list[Image.Image]) -> None:
    data = jpeg(photos[1])

    assert is_plain(opened(data), data)
    assert not is_plain(opened(data), data[:-1])


# Where a component's sampling is in the frame's header, across in the upper four bits.
LUMA, CB, CR = 11, 14, 17


@pytest.mark.parametrize(
    ("component", "sampling", "plain"),
    [
        (LUMA, 0x22, True),
        (LUMA, 0x21, True),
        (LUMA, 0x11, True),
        (LUMA, 0x12, False),
        (LUMA, 0x41, False),
        (CB, 0x21, False),
        (CR, 0x12, False),
    ],
)
def test_colours_at_other_resolutions_are_left_to_pillow(
    photos: list[Image.Image], component: int, sampling: int, plain: bool
) -> None:
    data = bytearray(jpeg(photos[1]))
    frame = data.index(b"\xff\xc0")
    data[frame + component] = sampling

    assert is_plain(opened(bytes(data)), data) == plain


@pytest.mark.parametrize(("transform", "plain"), [(0, False), (1, True), (2, False)])
def test_what_adobe_did_not_turn_into_ycbcr_is_left_to_pillow(
    photos: list[Image.Image], transform: int, plain: bool
) -> None:
    data = jpeg(photos[1])
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64" + bytes(4) + bytes([transform])
    data = data[:2] + adobe + data[2:]

    assert is_plain(opened(data), data) == plain


@pytest.mark.parametrize("size", [(1, 1), (2000, 2000)])
def test_another_size_than_pillows_is_not_believed(
    photos: list[Image.Image], monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(DeviceJpegDecoder, "decode", lambda *_: Image.new("RGB", size))
    data = jpeg(photos[1])

    assert DECODER(opened(data), data) is None


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


@pytest.mark.parametrize("off", [2, -2, 3, -3])
def test_two_levels_are_the_most_that_it_may_be_off(
    monkeypatch: pytest.MonkeyPatch, off: int
) -> None:
    def decode(_: DeviceJpegDecoder, data: bytes) -> npt.NDArray[np.float32]:
        return np.asarray(opened(data), np.float32) + off

    monkeypatch.setattr(DeviceJpegDecoder, "decode", decode)

    if abs(off) > 2:
        with pytest.raises(ModelLoadError, match="wrongly"):
            prove(DECODER)
    else:
        prove(DECODER)


def test_a_decoder_that_is_proven_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeviceJpegDecoder, "decode", lambda _, data: opened(data))
    gpu = torch.device("cuda", 99)

    assert choose_jpeg_decoder({"jpeg_decoder": "nvjpeg"}, gpu) == DeviceJpegDecoder(gpu)


@pytest.mark.parametrize("config", [{}, {"jpeg_decoder": "libjpeg-turbo"}])
def test_unless_asked_otherwise_pillow_decodes(config: dict[str, str]) -> None:
    assert choose_jpeg_decoder(config, torch.device("cuda", 0)) is None


def test_nvjpeg_that_does_not_decode_says_what_to_do() -> None:
    with pytest.raises(ModelLoadError, match="take jpeg_decoder out of model-config"):
        choose_jpeg_decoder({"jpeg_decoder": "nvjpeg"}, torch.device("cuda", 99))


@pytest.mark.parametrize("kind", ["cpu", "meta"])
def test_nvjpeg_needs_a_gpu(kind: str) -> None:
    with pytest.raises(ModelLoadError, match="needs a GPU"):
        choose_jpeg_decoder({"jpeg_decoder": "nvjpeg"}, torch.device(kind))


@pytest.mark.parametrize("name", ["djpeg", "mozjpeg", "zjpeg"])
def test_another_decoder_is_not_known(name: str) -> None:
    with pytest.raises(ModelLoadError, match=f"libjpeg-turbo or nvjpeg, not {name}"):
        choose_jpeg_decoder({"jpeg_decoder": name}, torch.device("cpu"))


def test_the_decoder_tells_where_it_runs() -> None:
    assert DeviceJpegDecoder(torch.device("cuda", 1)).description == "nvjpeg on cuda:1"


def test_a_frame_that_contradicts_itself_is_not_plain(photos: list[Image.Image]) -> None:
    data = bytearray(jpeg(photos[1]))
    data[data.index(b"\xff\xc0") + 9] = 1  # component of the three that follow

    assert opened(bytes(data)).mode == "L"
    assert not is_plain(opened(bytes(data)), data)
