import numpy as np
import pytest
import torch
from PIL import Image

from u2net_cutout.network.inputs import DeviceInput, HostInput, choose_input
from u2net_cutout.network.variant import VARIANTS

# The arithmetic is the same on every device; here the CPU stands in for a GPU.
U2NET = VARIANTS["u2net"]
HOST, DEVICE = HostInput(U2NET), DeviceInput(U2NET, torch.device("cpu"))


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width).integers(0, 200, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def pictures(photos: list[Image.Image]) -> list[Image.Image]:
    sizes = [(1, 1), (2, 3), (319, 321), (1, 4000), (4000, 1), (448, 704), (1472, 960)]
    return [*photos, *(noise(*size) for size in sizes), Image.new("RGB", (9, 9))]


@pytest.mark.parametrize("name", ["u2net", "isnet"])
def test_both_ways_give_the_same_batch_bit_by_bit(name: str, pictures: list[Image.Image]) -> None:
    variant = VARIANTS[name]
    host, device = HostInput(variant), DeviceInput(variant, torch.device("cpu"))
    expected = host.collate([host.prepare(picture) for picture in pictures])

    batch = device.collate([device.prepare(picture) for picture in pictures])

    assert torch.equal(batch, expected)


def test_a_pictures_input_does_not_depend_on_its_batch(pictures: list[Image.Image]) -> None:
    prepared = [DEVICE.prepare(picture) for picture in pictures]

    batch = DEVICE.collate(prepared)

    alone = torch.cat([DEVICE.collate([row]) for row in prepared])
    assert torch.equal(batch, alone)


def test_only_bytes_cross_the_bus_and_no_more_than_floats_would_be(
    photos: list[Image.Image],
) -> None:
    row = DEVICE.prepare(photos[0])

    assert row.dtype == torch.uint8
    assert row.numel() < 1.01 * HOST.prepare(photos[0]).nbytes


def test_the_batch_lies_as_the_network_wants_it(photos: list[Image.Image]) -> None:
    batch = DEVICE.collate([DEVICE.prepare(photo) for photo in photos])

    assert (batch.shape, batch.dtype) == ((4, 3, 320, 320), torch.float32)
    assert batch.is_contiguous(memory_format=torch.channels_last)


def test_the_batch_is_made_on_the_device(photos: list[Image.Image]) -> None:
    # A device that keeps no data, but knows where everything would be.
    elsewhere = DeviceInput(U2NET, torch.device("meta"))

    batch = elsewhere.collate([elsewhere.prepare(photo) for photo in photos])

    assert (batch.device.type, batch.shape) == ("meta", (4, 3, 320, 320))


def test_a_gpu_warms_up_on_every_size_of_batch_the_largest_first() -> None:
    assert [len(batch) for batch in DEVICE.warm_up_batches(5)] == [5, 4, 3, 2, 1]


def test_a_cpu_warms_up_on_one_picture() -> None:
    assert [batch.shape for batch in HOST.warm_up_batches(5)] == [(1, 3, 320, 320)]


@pytest.mark.parametrize("device", ["cuda:1", "meta"])
def test_what_is_not_the_cpu_does_the_arithmetic_itself(device: str) -> None:
    chosen = choose_input(torch.device(device), U2NET)

    assert isinstance(chosen, DeviceInput)
    assert chosen.description.endswith(device)


def test_the_cpu_prepares_pictures_completely() -> None:
    assert choose_input(torch.device("cpu"), U2NET) == HOST
    assert HOST.description == "cpu"
