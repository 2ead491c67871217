from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.limits import Limits
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.runtime import load_runtime
from u2net_cutout.network.torch_runtime import TorchRuntime
from u2net_cutout.network.variant import VARIANTS
from u2net_cutout.pipeline.photo import load_photo
from u2net_cutout.worker.warmup import SIZE, sample_maps, sample_request, warm_up_network


@dataclass
class Imagined:
    """A runtime of some GPU that is not here."""

    run: Callable[[Tensor], Tensor]
    description = "imagination 1.0"
    device_description = "cuda:0 (NVIDIA Imagined)"
    kernels: dict[str, int] = field(default_factory=dict)

    def __call__(self, batch: Tensor) -> Tensor:
        return self.run(batch)


def test_the_sample_is_read_as_a_photo_that_asks_for_a_png(limits: Limits) -> None:
    request = sample_request()

    photo = load_photo(request.row, request.headers, limits, explain=False)

    assert (photo.image.mode, photo.image.size) == ("RGB", SIZE)
    assert photo.request.output_format is OutputFormat.PNG


@pytest.mark.parametrize(("name", "maps", "size"), [("u2netp", 7, 320), ("isnet", 6, 1024)])
def test_the_maps_are_as_soft_as_maps_can_be(name: str, maps: int, size: int) -> None:
    sample = sample_maps(VARIANTS[name], torch.device("cpu"))

    assert (sample.shape, sample.dtype) == ((maps, size, size), torch.float32)
    levels = set(sample.flatten().tolist())
    assert (min(levels), max(levels), len(levels)) == (0, 1, size)


def test_warming_up_runs_the_network_on_each_batch(torch_network: Path) -> None:
    metadata = ModelMetadata.read(torch_network)
    runtime = load_runtime(torch_network, metadata, torch.device("cpu"), 1)
    assert isinstance(runtime, TorchRuntime)
    sizes: list[int] = []
    runtime.network.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))

    warm_up_network(
        replace(runtime, whole_batches=True), [torch.zeros(2, 3, 32, 32), torch.zeros(1, 3, 32, 32)]
    )

    assert sizes == [2, 1]


def test_maps_that_are_not_finite_stop_the_worker() -> None:
    broken = Imagined(lambda batch: torch.full((len(batch), 7, 1, 1), torch.nan))

    with pytest.raises(ModelLoadError, match="not finite"):
        warm_up_network(broken, [torch.zeros(1, 3, 1, 1)])


def test_maps_on_another_device_stop_the_worker() -> None:
    astray = Imagined(lambda batch: torch.zeros(len(batch), 7, 1, 1))

    with pytest.raises(ModelLoadError, match="on meta are not finite, or on cpu"):
        warm_up_network(astray, [torch.zeros(1, 3, 1, 1, device="meta")])


def test_batches_that_a_gpu_has_no_memory_for_are_told() -> None:
    def exhausted(batch: Tensor) -> Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ModelLoadError, match="smaller BATCH_SIZE"):
        warm_up_network(Imagined(exhausted), [torch.zeros(64, 3, 1, 1)])
