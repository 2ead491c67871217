import tracemalloc
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import Compose
from torchvision.transforms.functional import normalize

import preprocessing
from u2net_cutout.network.preprocessing import Normalize, Rescale, Sampling, _levels
from u2net_cutout.network.variant import IMAGENET_MEAN, IMAGENET_STD, VARIANTS

SIZE = 320


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def interpolated(picture: Image.Image, size: int = SIZE) -> Tensor:
    # In double precision, since torch's own float32 weights are off by more than the tolerance.
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).unsqueeze(0).double()
    return functional.interpolate(
        pixels, size=(size, size), mode="bilinear", align_corners=False
    ).squeeze(0)


@pytest.mark.parametrize("index", range(4))
def test_a_photo_is_rescaled_as_torch_interpolates(photos: list[Image.Image], index: int) -> None:
    rescaled = Rescale(SIZE)(photos[index])

    torch.testing.assert_close(
        rescaled, interpolated(photos[index]), rtol=0, atol=1e-3, check_dtype=False
    )


@pytest.mark.parametrize(
    ("width", "height"),
    [
        *((1, 1), (2, 3), (37, 100), (319, 321), (320, 320), (1, 4000), (4000, 1)),
        # On these, samples lie on whole pixels, where rounding could pick the wrong neighbour.
        *((448, 704), (1472, 960), (33_600, 325)),
    ],
)
def test_any_aspect_and_size_is_rescaled_as_torch_interpolates(width: int, height: int) -> None:
    picture = noise(width, height)

    torch.testing.assert_close(
        Rescale(SIZE)(picture), interpolated(picture), rtol=0, atol=1e-3, check_dtype=False
    )


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 4000), (500, 400)])
def test_a_rescaled_picture_is_a_float32_square(width: int, height: int) -> None:
    rescaled = Rescale(SIZE)(noise(width, height))

    assert (rescaled.dtype, rescaled.shape) == (torch.float32, (3, SIZE, SIZE))


@pytest.mark.parametrize(("width", "height"), [(4000, 3000), (SIZE, 40_000)])
def test_a_large_picture_is_never_copied(width: int, height: int) -> None:
    picture = Image.new("RGB", (width, height), "teal")
    size = width * height * 3

    tracemalloc.start()
    try:
        Rescale(SIZE)(picture)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # What there is are some squares of floats.
    assert peak < size / 4


@pytest.mark.parametrize("brightest", [0.5, 1.0, 100.0, 255.0])
def test_a_pictures_own_maximum_becomes_one(brightest: float) -> None:
    pixels = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    pixels[1, 2, 3] = 1.0

    torch.testing.assert_close(Normalize()(pixels * brightest), Normalize()(pixels))


def test_each_channel_is_shifted_and_scaled_as_in_training() -> None:
    normalized = Normalize()(torch.full((3, 2, 2), 7.0))

    expected = [(1 - mean) / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    torch.testing.assert_close(normalized[:, 0, 0], torch.tensor(expected))


@pytest.mark.parametrize("index", range(4))
def test_a_photo_is_made_ready_as_isnets_authors_do(photos: list[Image.Image], index: int) -> None:
    isnet = VARIANTS["isnet"].picture
    levels = interpolated(photos[index], isnet.size)

    ready = Normalize(isnet.mean, isnet.std, isnet.white)(
        Rescale(isnet.size, isnet.whole_levels)(photos[index])
    )

    # `Inference.py`, with torchvision's own arithmetic.
    expected = normalize(levels.type(torch.uint8) / 255.0, [0.5, 0.5, 0.5], [1.0, 1.0, 1.0])
    # Where a level is whole but for rounding, one of the two may be a level lower.
    off = (ready - expected).abs()
    assert (off > 1e-6).float().mean() < 1e-4
    assert off.max() < 1.001 / 255


def test_a_black_picture_stays_finite() -> None:
    assert torch.isfinite(Normalize()(torch.zeros(3, 4, 4))).all()


def test_normalizing_leaves_its_input_alone() -> None:
    pixels = torch.full((3, 2, 2), 7.0)

    Normalize()(pixels)

    assert (pixels == 7).all()


def test_both_steps_compose_as_torchvision_transforms(photos: list[Image.Image]) -> None:
    composed = Compose([Rescale(SIZE), Normalize()])(photos[0])

    torch.testing.assert_close(composed, Normalize()(Rescale(SIZE)(photos[0])))


def test_the_levels_are_those_that_imagenet_is_normalized_by() -> None:
    # As torchvision publishes them: https://docs.pytorch.org/vision/stable/models.html
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixels = noise(5, 4)

    normalized = Normalize()(torch.from_numpy(np.array(pixels)).permute(2, 0, 1).float())

    brightest = np.asarray(pixels).max()
    expected = (np.asarray(pixels) / brightest - mean) / std
    np.testing.assert_allclose(normalized.permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_each_picture_of_a_batch_is_normalized_by_its_own_maximum() -> None:
    pixels = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))

    together = Normalize()(pixels * torch.tensor([1.0, 255.0]).view(2, 1, 1, 1))

    torch.testing.assert_close(together, torch.stack([Normalize()(each) for each in pixels]))


def test_the_side_length_is_the_one_that_the_authors_trained_on() -> None:
    # RescaleT(320) in github.com/xuebinqin/U-2-Net, u2net_test.py; [1024, 1024] in Inference.py of
    # github.com/xuebinqin/DIS.
    assert VARIANTS["u2net"].size == VARIANTS["u2netp"].size == SIZE == 320
    assert VARIANTS["isnet"].size == 1024


def test_the_archives_extra_file_has_both_steps() -> None:
    assert (preprocessing.Rescale, preprocessing.Normalize) == (Rescale, Normalize)


def test_equal_steps_are_one_key() -> None:
    rescales = {Rescale(SIZE), Rescale(SIZE), Rescale(SIZE, whole_levels=True)}

    assert len(rescales) == 2
    assert len({Normalize(), Normalize(), Normalize(white=255)}) == 2
    assert len({Sampling(9, 4, 0), Sampling(9, 4, 0), Sampling(9, 4, 1)}) == 2


def test_what_was_sampled_stays() -> None:
    samples = Rescale(SIZE).sample(noise(9, 7))

    for field in fields(samples):
        with pytest.raises(FrozenInstanceError):
            setattr(samples, field.name, None)


def test_levels_are_brought_to_a_device_once() -> None:
    assert _levels(IMAGENET_MEAN, torch.device("cpu")) is _levels(
        IMAGENET_MEAN, torch.device("cpu")
    )
