"""Runs the saliency network in ncnn, the fastest there is in float32 on CPUs.

Nearly all of the work is 3x3 convolutions, which ncnn does by minimal filtering: 16 results
together take 36 multiplications instead of 144. Source: A. Lavin, S. Gray, "Fast Algorithms for
Convolutional Neural Networks", 2015, https://arxiv.org/abs/1509.09308. API:
https://github.com/Tencent/ncnn/tree/master/python.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from execution import Precision, cpu_fact
from runtime_errors import ModelLoadError

# The threads wait for each other in every layer. Waiting busily, as ncnn's OpenMP does by default,
# they take ten times as long as soon as another process wants one of their cores. It is read when
# the library is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import ncnn

# Parts of the names of options by which it would calculate in less than 32 bits.
FEWER_BITS = ("fp16", "bf16", "int8")
# Tiles of 6x6 results are no faster here than of 4x4, and twice as far from exact.
UNUSED_TILES = ("use_winograd63_convolution", "use_winograd23_convolution")
# A convolution that is tried when the network is loaded: its channels, in and out, and its side.
PROBE_CHANNELS, PROBE_SIDE = 16, 32
# The most that it may be off, as a share of its largest result. float32 is off by 0.000001, with 16
# bits it would be by 0.0005 or more.
PROBE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class NcnnRuntime:
    """The network, laid out for this machine's CPU."""

    net: ncnn.Net
    threads: int
    kernels: dict[str, int]
    """How the convolutions are calculated, by their size, and how many each."""

    @property
    def description(self) -> str:
        """The library that runs the network, and its version."""
        return f"ncnn {ncnn.__version__}"

    @property
    def device_description(self) -> str:
        """The device that runs the network."""
        return f"cpu ({cpu_fact('model name') or 'unnamed'}), {self.threads} thread(s)"

    def __call__(self, batch: Tensor) -> Tensor:
        """Return each picture's seven saliency maps: (B, 3, H, W) -> (B, 7, H, W) in [0, 1].

        One by one, which costs no time on a CPU and keeps a batch's memory that of one picture.

        Raises:
            MemoryError: there is not enough for it.
        """
        pictures = (picture.contiguous().numpy() for picture in batch)
        return torch.stack([torch.from_numpy(_run(self.net, each)) for each in pictures])


def load_ncnn(files: Sequence[Path], precision: Precision, threads: int) -> NcnnRuntime:
    """Load a network in ncnn's format, a graph (``.param``) and its weights (``.bin``).

    Raises:
        ModelLoadError: the files are no such network, or this machine does not run it as meant.
    """
    if precision is not Precision.FP32:
        raise ModelLoadError(f"ncnn runs the network in fp32 only, not in {precision.value}")
    by_suffix = {file.suffix: file for file in files}
    net = _net(threads)
    try:
        param = by_suffix[".param"].read_text(encoding="ascii")
        failed = net.load_param_mem(param) or net.load_model(str(by_suffix[".bin"]))
    except (KeyError, OSError, UnicodeDecodeError) as error:
        raise ModelLoadError(f"ncnn can't load {[f.name for f in files]}: {error}") from error
    if failed:
        raise ModelLoadError(f"ncnn {ncnn.__version__} can't load {[f.name for f in files]}")
    return NcnnRuntime(net, threads, _kernels(param, _proven_method(threads)))


def _net(threads: int, *left_out: str) -> ncnn.Net:
    """Return an empty network that calculates in float32, without the options `left_out`."""
    net = ncnn.Net()
    options = net.opt
    options.num_threads = threads
    fewer_bits = (name for name in dir(options) if any(bits in name for bits in FEWER_BITS))
    for name in (*fewer_bits, *UNUSED_TILES, *left_out):
        setattr(options, name, False)
    return net


def _run(net: ncnn.Net, picture: np.typing.NDArray[np.float32]) -> Any:
    """Return ``maps`` of ``picture``, both (C, H, W); the array is the caller's."""
    with net.create_extractor() as extractor:
        failed = extractor.input("picture", ncnn.Mat(picture))
        failed_later, maps = extractor.extract("maps")
        if failed or failed_later:
            raise MemoryError(f"ncnn could not run the network: code {failed or failed_later}")
        # The next picture's maps come to lie in the same memory.
        return np.array(maps)


def _proven_method(threads: int) -> str:
    """Say how 3x3 convolutions are calculated, by trying one.

    Raises:
        ModelLoadError: not in float32.
    """
    random = torch.Generator().manual_seed(0)
    shape = PROBE_CHANNELS, PROBE_CHANNELS, 3, 3
    weights = torch.randn(shape, generator=random)
    picture = torch.randn((PROBE_CHANNELS, PROBE_SIDE, PROBE_SIDE), generator=random)
    exact = functional.conv2d(picture.double(), weights.double(), padding=1)
    found = _probed(picture, weights, threads)
    error = float((found.double() - exact).abs().max() / exact.abs().max())
    # Written so that what is not a number does not pass.
    if not error <= PROBE_TOLERANCE:
        raise ModelLoadError(
            f"ncnn {ncnn.__version__} does not calculate in float32 here: a convolution is off by "
            f"{error:.1e} of its largest result; build the archive with RUNTIME=openvino or torch"
        )
    # The same sums in another order round differently.
    otherwise = _probed(picture, weights, threads, "use_winograd_convolution")
    return "direct f32" if torch.equal(found, otherwise) else "winograd f32"


def _probed(picture: Tensor, weights: Tensor, threads: int, *left_out: str) -> Tensor:
    net = _net(threads, *left_out)
    side, channels, size = PROBE_SIDE, PROBE_CHANNELS, weights.numel()
    net.load_param_mem(
        f"7767517\n2 2\nInput picture 0 1 picture 0={side} 1={side} 2={channels}\n"
        f"Convolution maps 1 1 picture maps 0={channels} 1=3 4=1 5=0 6={size}\n"
    )
    # What is loaded from memory would have to stay there.
    with NamedTemporaryFile() as file:
        file.write(bytes(4) + weights.numpy().tobytes())
        file.flush()
        net.load_model(file.name)
    return torch.from_numpy(_run(net, picture.numpy()))


def _kernels(param: str, method: str) -> dict[str, int]:
    layers = (line.split() for line in param.splitlines())
    sizes = ("1=3" in layer for layer in layers if layer[0] == "Convolution")
    return dict(Counter(f"3x3 {method}" if large else "1x1 f32" for large in sizes))
