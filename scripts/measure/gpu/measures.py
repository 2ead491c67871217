"""What a GPU makes of the network and of the handler's steps around it; nothing is printed here.

Every step is the served one. A CPU can stand in for the GPU, so that the tests run all of this.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from scripts.measure.kit.machine_peak import network_operations
from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.limits import Limits
from u2net_cutout.network.inputs import DeviceInput
from u2net_cutout.network.precision import Precision
from u2net_cutout.network.torch_runtime import DTYPES, TorchRuntime, load_torch
from u2net_cutout.network.u2net import INPUT_SIZE, Variant
from u2net_cutout.pipeline.photo import Photo, load_photo
from u2net_cutout.pipeline.rendering import render
from u2net_cutout.pipeline.response import Figures, picture_answer
from u2net_cutout.worker.batch import each

T = TypeVar("T")

LIMITS = Limits(max_file_bytes=1 << 25, max_pixels=50_000_000, max_response_bytes=100 << 20)


@dataclass(frozen=True)
class Rate:
    """What was reached at one size of batch."""

    batch: int
    pictures_a_second: float
    tflops: float
    of_peak: float
    """Share of the GEMM peak, of this run and precision, that the network's arithmetic comes to."""
    stages_ms: dict[str, float] = field(default_factory=dict)
    """Median milliseconds a picture by stage, as ``Server-Timing`` tells them."""


@dataclass(frozen=True)
class Bench:
    """One device, and how thoroughly it is measured."""

    device: torch.device
    weights: Path
    variant: Variant
    threads: int
    """Of the pool that decodes and encodes."""
    repeats: int
    """The median of so many is told; the peak is the best of them."""

    def load(self, precision: Precision) -> TorchRuntime:
        """Load the network as the server does.

        Raises:
            ModelLoadError: torch does not run it here as it should.
        """
        return load_torch([self.weights], self.variant, precision, self.device)

    def gemm_peak(self, precision: Precision, side: int) -> float:
        """Return the operations a second of a square matrix product: 2 for each multiply-add."""
        dtype = DTYPES[precision]
        left, right = (torch.randn(side, side, device=self.device).to(dtype) for _ in range(2))
        return 2 * side**3 / min(self._timed(lambda: torch.mm(left, right)))

    def network(self, runtime: TorchRuntime, sizes: Sequence[int], peak: float) -> Iterator[Rate]:
        """Measure the bare network: input and maps stay on the device."""
        for size in sizes:
            batch = torch.rand(size, 3, INPUT_SIZE, INPUT_SIZE, device=self.device)
            seconds = statistics.median(self._timed(partial(runtime, batch)))
            yield self._rate(size, seconds, peak)

    def handler(
        self, runtime: TorchRuntime, jpeg: bytes, sizes: Sequence[int], peak: float
    ) -> Iterator[Rate]:
        """Measure all that the handler does: JPEG in, PNG out, one worker, without TorchServe."""
        with ThreadPoolExecutor(self.threads) as pool:
            for size in sizes:
                photos: list[Photo] = []

                def work(size: int = size, photos: list[Photo] = photos) -> None:
                    photos.extend(self._answer(runtime, [jpeg] * size, pool))

                seconds = statistics.median(self._timed(work))
                stages = {
                    stage: statistics.median(photo.timing.milliseconds[stage] for photo in photos)
                    for stage in photos[0].timing.milliseconds
                }
                yield self._rate(size, seconds, peak, stages)

    def _answer(
        self, runtime: TorchRuntime, jpegs: Sequence[bytes], pool: ThreadPoolExecutor
    ) -> list[Photo]:
        ids, there = [str(index) for index in range(len(jpegs))], DeviceInput(self.device)

        def load(jpeg: bytes) -> Photo:
            return load_photo({"body": jpeg}, {"Accept": "image/png"}, LIMITS, explain=False)

        def prepare(photo: Photo) -> Tensor:
            with photo.timing.measure("preprocess"):
                return there.prepare(photo.image)

        def answer(photo: Photo, maps: Tensor) -> Photo:
            with photo.timing.measure("postprocess"):
                rendering = render(photo, maps[0])
            with photo.timing.measure("encode"):
                figures = Figures(rendering.subject, rendering.coverage, 0)
                picture_answer(rendering.picture, figures, photo.request, 100 << 20)
            return photo

        photos = _all_good(each(ids, load, jpegs, pool=pool))
        inputs = _all_good(each(ids, prepare, photos, pool=pool))
        start = time.perf_counter()
        # Not as the server does, which runs a batch that fails one by one: that is another figure.
        maps = list(runtime(there.collate(inputs)))
        spent = (time.perf_counter() - start) * 1000 / len(jpegs)
        answered = _all_good(each(ids, answer, photos, maps, pool=pool))
        for photo in answered:
            photo.timing.add("inference", spent)
        return answered

    def _timed(self, work: Callable[[], object]) -> list[float]:
        """Return the seconds of each repeat, after one that is not counted."""
        seconds = []
        with torch.inference_mode():
            for _ in range(self.repeats + 1):
                start = time.perf_counter()
                work()
                if self.device.type == "cuda":
                    torch.cuda.synchronize(self.device)
                seconds.append(time.perf_counter() - start)
        return seconds[1:]

    def _rate(
        self, size: int, seconds: float, peak: float, stages: dict[str, float] | None = None
    ) -> Rate:
        operations = size * network_operations(self.variant.name) / seconds
        return Rate(size, size / seconds, operations / 1e12, operations / peak, stages or {})


def _all_good(column: Sequence[T | CutoutError]) -> list[T]:
    good = [entry for entry in column if not isinstance(entry, CutoutError)]
    if len(good) < len(column):
        raise RuntimeError("the handler's steps failed; the reason stands above")
    return good
