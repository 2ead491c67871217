"""Measure pictures a second on a GPU by size of batch: the bare network, and the whole pipeline.

The measure is the card's own peak, that of matrix products in the same precision and the same run.
"""

import argparse
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image

from scripts.common.options import OptionParser
from scripts.common.paths import PHOTO, weights_of
from scripts.measure.gpu.agreement import measure_agreement
from scripts.measure.gpu.measures import Bench, Rate
from scripts.measure.kit.errors import BenchError
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.precision import Precision
from u2net_cutout.network.variant import VARIANTS

SIZES = (1, 2, 4, 8, 16, 32, 64)
PRECISIONS = tuple(
    precision.value for precision in (Precision.FP16, Precision.BF16, Precision.FP32)
)
# Large enough that memory is not the limit.
GEMM_SIDE = 8192
# 1.5 megapixels.
PHOTO_SIZE = (1500, 1000)

NO_GPU = """\
make bench-gpu: torch {version} sees no GPU. On a machine with one, install a CUDA build of torch
(nvidia-smi must work as well) and run it again. To run it on the CPU, for a try:
make bench-gpu BENCH_GPU="--device cpu --sizes 1 2 --precisions fp32 --gemm-side 1024\""""


def measure(bench: Bench, arguments: argparse.Namespace) -> dict[str, object]:
    """Measure what the command line asks for, and print each row as soon as it is there.

    Raises:
        ModelLoadError: torch does not run the network here as it should.
    """
    with Image.open(arguments.photo) as opened:
        picture = opened.convert("RGB").resize(tuple(arguments.photo_size))
    file = BytesIO()
    picture.save(file, "JPEG", quality=90)
    report: dict[str, object] = {
        "device": _name(bench.device),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "model": bench.variant.name,
        "threads": bench.threads,
        "photo": list(picture.size),
    }
    print(", ".join(f"{name} {value}" for name, value in report.items()), flush=True)
    for value in arguments.precisions:
        precision = Precision(value)
        runtime = bench.load(precision)
        peak = bench.gemm_peak(precision, arguments.gemm_side)
        print(f"\n{value}: GEMM peak {peak / 1e12:.2f} TFLOP/s; {runtime.kernels}", flush=True)
        network = _table("network", bench.network(runtime, arguments.sizes, peak))
        handler = _table("handler", bench.handler(runtime, file.getvalue(), arguments.sizes, peak))
        report[value] = {"peak_tflops": peak / 1e12, "network": network, "handler": handler}
    print("\nagreement with the CPU:")
    agreement = measure_agreement(bench, picture, file.getvalue())
    for name, found in agreement.items():
        print(f"  {name}: {found if isinstance(found, str) else f'{found:.6f}'}")
    return {**report, "agreement": agreement}


def _table(title: str, rates: Iterable[Rate]) -> list[dict[str, object]]:
    print(f"{title:8} {'batch':>6} {'pictures/s':>11} {'TFLOP/s':>8} {'of peak':>8}  ms a picture")
    rows = []
    for rate in rates:
        stages = ", ".join(f"{stage} {spent:.1f}" for stage, spent in rate.stages_ms.items())
        print(
            f"{'':8} {rate.batch:6} {rate.pictures_a_second:11.1f} {rate.tflops:8.2f} "
            f"{rate.of_peak:8.1%}  {stages}",
            flush=True,
        )
        rows.append(asdict(rate))
    return rows


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


def bench_gpu(line: Sequence[str]) -> None:
    """Measure pictures a second on a GPU, by size of batch, against its own peak."""
    parser = OptionParser("bench-gpu", "Measure pictures a second on a GPU.")
    parser.take("build", "model")
    parser.add_argument("--json", type=Path, help="where the report goes (BUILD/bench-gpu.json)")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="batch sizes")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--gemm-side", type=int, default=GEMM_SIDE)
    parser.add_argument("--photo", type=Path, default=PHOTO)
    parser.add_argument("--photo-size", type=int, nargs=2, default=PHOTO_SIZE)
    arguments = parser.parse_args(line)
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BenchError(NO_GPU.format(version=torch.__version__))
    if device.type == "cuda":
        torch.set_num_threads(1)  # as a worker does
    weights = weights_of(arguments.build, arguments.model)
    bench = Bench(device, weights, VARIANTS[arguments.model], arguments.threads, arguments.repeats)
    try:
        report = measure(bench, arguments)
    except ModelLoadError as error:
        raise BenchError(str(error)) from error
    except torch.cuda.OutOfMemoryError as error:
        raise BenchError(f"out of memory on the card, omit large --sizes: {error}") from error
    written = arguments.json or arguments.build / "bench-gpu.json"
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to {written}")
