import torch

from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.limits import Limits
from u2net_cutout.pipeline.photo import load_photo
from u2net_cutout.worker.warmup import HEADERS, SIZE, sample_maps, sample_row


def test_the_row_is_read_as_a_photo_that_asks_for_a_png(limits: Limits) -> None:
    photo = load_photo(sample_row(), HEADERS, limits, explain=False)

    assert (photo.image.mode, photo.image.size) == ("RGB", SIZE)
    assert photo.request.output_format is OutputFormat.PNG


def test_the_maps_are_as_soft_as_maps_can_be() -> None:
    maps = sample_maps(torch.device("cpu"))

    assert (maps.shape, maps.dtype) == ((7, 320, 320), torch.float32)
    levels = set(maps.flatten().tolist())
    assert (min(levels), max(levels), len(levels)) == (0, 1, 320)
