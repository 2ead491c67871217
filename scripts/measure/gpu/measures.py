"""How fast a GPU runs the network, and the whole pipeline around it; nothing is printed here.

Every step is the served one. It runs on a CPU as well, so that the tests run all of this.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from scripts.measure.kit.machine_peak import network_operations
from u2net_cutout.contract.limits import Limits
from u2net_cutout.network.inputs import DeviceInput
from u2net_cutout.network.precision import Precision
from u2net_cutout.network.torch_runtime import DTYPES, TorchRuntime, load_torch
from u2net_cutout.network.variant import Variant
from u2net_cutout.pipeline.cutout import CutoutPipeline
from u2net_cutout.pipeline.request import ReceivedRequest

LIMITS = Limits(max_file_bytes=1 << 25, max_pixels=52_000_000, max_response_bytes=100 << 20)


@dataclass(frozen=True)
class Rate:
    """The throughput at one size of batch."""

    batch: int
    pictures_a_second: float
    tflops: float
    of_peak: float
    """Share of the GEMM peak, of this run and precision, that the network's arithmetic comes to."""
    stages_ms: dict[str, float] = field(default_factory=dict)
    """Median milliseconds a picture by stage, by the names of ``Server-Timing``."""


@dataclass(frozen=True)
class Bench:
    """One device, and how thoroughly it is measured."""

    device: torch.device
    weights: Path
    variant: Variant
    threads: int
    """Of the pool that decodes and encodes."""
    repeats: int
    """Figures are the median of so many runs; the peak is the best of them."""

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
        side = self.variant.size
        for size in sizes:
            batch = torch.rand(size, 3, side, side, device=self.device)
            seconds = statistics.median(self._timed(partial(runtime, batch)))
            yield self._rate(size, seconds, peak)

    def handler(
        self, runtime: TorchRuntime, jpeg: bytes, sizes: Sequence[int], peak: float
    ) -> Iterator[Rate]:
        """Measure the whole pipeline in one process: JPEG in, PNG out."""
        pipeline = CutoutPipeline(runtime, DeviceInput(self.variant, self.device), LIMITS)
        with ThreadPoolExecutor(self.threads) as pool:
            for size in sizes:
                measured: list[dict[str, float]] = []

                def work(size: int = size, measured: list[dict[str, float]] = measured) -> None:
                    measured.extend(self._cut_out(pipeline, [jpeg] * size, pool))

                seconds = statistics.median(self._timed(work))
                stages = {
                    stage: statistics.median(stages[stage] for stages in measured)
                    for stage in measured[0]
                }
                yield self._rate(size, seconds, peak, stages)

    def _cut_out(
        self, pipeline: CutoutPipeline, jpegs: Sequence[bytes], pool: ThreadPoolExecutor
    ) -> list[dict[str, float]]:
        """Cut a batch out as a worker does; return each picture's milliseconds by stage.

        Where the network fails, nothing is run one by one: that would be another figure.
        """
        requests = [ReceivedRequest({"body": jpeg}, {"Accept": "image/png"}) for jpeg in jpegs]
        prepared = pool.map(lambda request: pipeline.prepare(pipeline.load(request)), requests)
        list(pool.map(pipeline.respond, pipeline.infer(list(prepared))))
        stages = [request.timing.milliseconds for request in requests]
        # The whole run's duration is in each of them.
        return [{**each, "inference": each["inference"] / len(jpegs)} for each in stages]

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
