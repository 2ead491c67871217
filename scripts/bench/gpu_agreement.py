"""How far what a GPU does is from the same work on the CPU; nothing is printed here."""

from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from device_jpeg import DeviceJpegDecoder
from execution import Precision
from gpu_measures import Bench
from matting import alpha_matte, stretch
from network_input import DeviceInput, HostInput


def measure_agreement(bench: Bench, picture: Image.Image, jpeg: bytes) -> dict[str, float | str]:
    """Compare the steps on an RGB picture and on a file of it; 0 is expected where it says so.

    Raises:
        ModelLoadError: torch does not run the network here as it should.
    """
    host, there = HostInput(), DeviceInput(bench.device)
    expected = host.collate([host.prepare(picture)])
    batch = there.collate([there.prepare(picture)] * 2)
    with torch.inference_mode():
        network = bench.load(Precision.FP32)
        exact, alone = network(batch), network(batch[:1])
        mattes = [alpha_matte(maps[0, 0], picture.size) for maps in (exact, exact.cpu())]
        found: dict[str, float | str] = {
            "input, greatest (0 expected)": _greatest(batch[:1].cpu(), expected),
            "matte, greatest of 255 levels (0 expected)": _greatest(*map(_levels, mattes)),
            "maps of a picture in a batch and alone, greatest": _greatest(exact[:1], alone),
        }
        for precision in (Precision.FP16, Precision.BF16):
            mask, truth = stretch(bench.load(precision)(batch[:1])[0, 0]), stretch(exact[0, 0])
            found[f"masks in {precision.value} and fp32, mean"] = float((mask - truth).abs().mean())
    return {**found, "nvjpeg and libjpeg-turbo, mean of 255 levels": _jpeg_error(bench, jpeg)}


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
