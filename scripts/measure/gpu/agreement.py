"""How far what a GPU does is from the same work on the CPU; nothing is printed here."""

import dataclasses
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from scripts.measure.gpu.measures import Bench
from u2net_cutout.matting.alpha import alpha_matte, stretch
from u2net_cutout.network.inputs import DeviceInput, HostInput
from u2net_cutout.network.precision import Precision
from u2net_cutout.pipeline.nvjpeg import DeviceJpegDecoder


def measure_agreement(bench: Bench, picture: Image.Image, jpeg: bytes) -> dict[str, float | str]:
    """Compare the steps on an RGB picture and on a file of it; 0 is expected where it says so.

    What is expected is all the CPU's: input, and maps of the network in float32.

    Raises:
        ModelLoadError: torch does not run the network here as it should.
    """
    host, there = HostInput(bench.variant), DeviceInput(bench.variant, bench.device)
    expected = host.collate([host.prepare(picture)])
    batch = there.collate([there.prepare(picture)] * 2)
    on_the_cpu = dataclasses.replace(bench, device=torch.device("cpu"))
    found: dict[str, float | str] = {
        "input, greatest (0 expected)": _greatest(batch[:1].cpu(), expected)
    }
    with torch.inference_mode():
        truth = on_the_cpu.load(Precision.FP32)(expected)
        if bench.device.type != "cpu":
            # Else it would be a tensor against itself.
            levels = _matte_difference(truth.to(bench.device), truth, picture.size)
            found["matte of the CPU's map, greatest of 255 levels (0 expected)"] = levels
        for precision in (Precision.FP32, Precision.FP16, Precision.BF16):
            network = bench.load(precision)
            maps = network(batch[:1])
            found |= _from_the_cpus(f"in {precision.value}", maps, truth, picture.size)
            if precision is Precision.FP32:
                both = network(batch)[:1]
                found["maps of a picture in a batch and alone, greatest"] = _greatest(both, maps)
    return {**found, "nvjpeg and libjpeg-turbo, mean of 255 levels": _jpeg_error(bench, jpeg)}


def _from_the_cpus(
    how: str, maps: Tensor, truth: Tensor, size: tuple[int, int]
) -> dict[str, float | str]:
    """Compare a picture's maps, and what becomes of the first on the device and on the CPU."""
    mask, true_mask = stretch(maps[0, 0]).cpu(), stretch(truth[0, 0])
    return {
        f"maps {how}, greatest": _greatest(maps.cpu(), truth),
        f"masks {how}, mean": float((mask - true_mask).abs().mean()),
        f"mattes {how}, greatest of 255 levels": _matte_difference(maps, truth, size),
    }


def _matte_difference(first: Tensor, second: Tensor, size: tuple[int, int]) -> float:
    return _greatest(*(_levels(alpha_matte(maps[0, 0], size)) for maps in (first, second)))


def _jpeg_error(bench: Bench, jpeg: bytes) -> float | str:
    try:
        decoded = DeviceJpegDecoder(bench.device).decode(jpeg)
    except (ImportError, RuntimeError) as error:
        return f"not offered: {str(error).partition(chr(10))[0]}"
    with Image.open(BytesIO(jpeg)) as expected:
        return float((_levels(decoded) - _levels(expected)).abs().mean())


def _levels(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture, np.float32))


def _greatest(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().max())
