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

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from u2net_cutout.network.cpu_features import cpu_fact
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.precision import Precision

# The threads wait for each other in every layer. Waiting busily, as ncnn's OpenMP does by default,
# they take ten times as long as soon as another process wants one of their cores. It is read when
# the library is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import ncnn

# Parts of the names of options by which it would calculate in less than 32 bits.
FEWER_BITS = ("fp16", "bf16", "int8")
# Tiles of 6x6 or of 2x2 results are slower than of 4x4, and the network is built for CPUs.
UNUSED = ("use_winograd63_convolution", "use_winograd23_convolution", "use_vulkan_compute")
# How many convolutions are tried when the network is loaded, and on a picture of which side.
PROBED, PROBE_SIDE = 2, 32
# The most that their result may be off, as a share of its largest. float32 is off by 0.000001, with
# 16 bits it would be by 0.0005 or more.
PROBE_TOLERANCE = 1e-4
OUT_OF_MEMORY = -100
# How much of a free block of memory a layer's result has to fill to get it. By default the smallest
# may take the largest: u2net then needs 0.15 GB more, IS-Net 0.45. With 0.5, IS-Net needs 0.2 GB
# less, and a tenth to a fifth more time, since memory goes back to the system and comes anew.
LEAST_FILLED = 0.2
# What a layer's line says of a convolution: 3x3 pixels, side by side, at every pixel; a ReLU after.
SIZE_3, UNDILATED, UNSTRIDED, RELU_AFTERWARDS = "1=3", "2=1", "3=1", "9=1"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NcnnRuntime:
    """The network, laid out for this machine's CPU."""

    net: ncnn.Net
    pool: ncnn.PoolAllocator
    """Memory of the layers' results; has to outlive each run."""
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
        """Return each picture's saliency maps: (B, 3, S, S) -> (B, M, S, S) in [0, 1].

        One by one, which costs no time on a CPU and keeps a batch's memory that of one picture.

        Raises:
            MemoryError: there is not enough for it.
            RuntimeError: ncnn failed otherwise.
        """
        pictures = (picture.contiguous().numpy() for picture in batch)
        maps = [torch.from_numpy(_run(self.net, picture)).unsqueeze(0) for picture in pictures]
        return torch.cat(maps) if len(maps) > 1 else maps[0]


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
        param, weights = by_suffix[".param"].read_text(encoding="ascii"), by_suffix[".bin"]
        failed = net.load_param_mem(param) or net.load_model(str(weights))
    except (KeyError, OSError, UnicodeDecodeError) as error:
        raise ModelLoadError(f"ncnn can't load {[f.name for f in files]}: {error}") from error
    if failed:
        raise ModelLoadError(f"ncnn {ncnn.__version__} can't load {[f.name for f in files]}")
    layers = [line.split() for line in param.splitlines()]
    convolutions = [layer for layer in layers if layer[0] == "Convolution"]
    method = _proven_method(convolutions[:PROBED], weights, threads)
    kernels = Counter(_kernel(convolution, method) for convolution in convolutions)
    pool = ncnn.PoolAllocator()
    pool.set_size_compare_ratio(LEAST_FILLED)
    # Set after loading: weights in the pool would have to be freed before it is.
    net.opt.blob_allocator = pool
    return NcnnRuntime(net, pool, threads, dict(kernels))


def _net(threads: int, *left_out: str) -> ncnn.Net:
    """Return an empty network that calculates in float32, without the options `left_out`."""
    net = ncnn.Net()
    options = net.opt
    options.num_threads = threads
    fewer_bits = (name for name in dir(options) if any(bits in name for bits in FEWER_BITS))
    for name in (*fewer_bits, *UNUSED, *left_out):
        setattr(options, name, False)
    return net


def _run(net: ncnn.Net, picture: Floats) -> Floats:
    """Return ``maps`` of ``picture``, both (C, H, W); the array is the caller's.

    `picture` is read where it is, and has to be contiguous.
    """
    with net.create_extractor() as extractor:
        failed = extractor.input("picture", ncnn.Mat(picture))
        failed_later, maps = extractor.extract("maps")
        code = failed or failed_later
        if code == OUT_OF_MEMORY:
            raise MemoryError("ncnn has not enough memory for the network")
        if code:
            raise RuntimeError(f"ncnn could not run the network: code {code}")
        # The next picture's maps come to lie in the same memory.
        return np.array(maps)


def _proven_method(convolutions: Sequence[Sequence[str]], weights: Path, threads: int) -> str:
    """Say how 3x3 convolutions are calculated, by trying the network's first ones.

    Raises:
        ModelLoadError: not in float32, or not at all.
    """
    random = torch.Generator().manual_seed(0)
    picture = torch.randn((3, PROBE_SIDE, PROBE_SIDE), generator=random)
    exact = _convolved(picture.double(), convolutions, weights)
    try:
        found = _probed(picture, convolutions, weights, threads)
        # The same sums in another order round differently.
        otherwise = _probed(picture, convolutions, weights, threads, "use_winograd_convolution")
    except (MemoryError, RuntimeError) as error:
        raise ModelLoadError(f"ncnn {ncnn.__version__} does not run here: {error}") from error
    off = float((found.double() - exact).abs().max() / exact.abs().max())
    # Written so that what is not a number does not pass.
    if not off <= PROBE_TOLERANCE:
        raise ModelLoadError(
            f"ncnn {ncnn.__version__} does not calculate in float32 here: convolutions are off by "
            f"{off:.1e} of their largest result; build the archive with RUNTIME=openvino or torch"
        )
    return "direct f32" if torch.equal(found, otherwise) else "winograd f32"


def _convolved(maps: Tensor, convolutions: Sequence[Sequence[str]], weights: Path) -> Tensor:
    """Do in torch what the first convolutions of a network, and a ReLU after each, do."""
    with weights.open("rb") as file:
        for convolution in convolutions:
            numbers = dict(word.split("=") for word in convolution if "=" in word)
            channels, size = int(numbers["0"]), int(numbers["6"])
            file.seek(np.dtype(np.float32).itemsize, os.SEEK_CUR)  # how they are stored
            kernel = torch.from_numpy(np.fromfile(file, np.float32, size)).to(maps)
            bias = torch.from_numpy(np.fromfile(file, np.float32, channels)).to(maps)
            kernel = kernel.reshape(channels, len(maps), 3, 3)
            maps = functional.conv2d(maps, kernel, bias, stride=int(numbers["3"]), padding=1)
            if RELU_AFTERWARDS in convolution:
                maps = maps.relu()
    return maps


def _probed(
    picture: Tensor,
    convolutions: Sequence[Sequence[str]],
    weights: Path,
    threads: int,
    *left_out: str,
) -> Tensor:
    """Do the same in ncnn, by a network that ends after them."""
    net = _net(threads, *left_out)
    names = ["picture", *(f"b{number}" for number in range(1, len(convolutions))), "maps"]
    count = len(names)
    size = f"0={PROBE_SIDE} 1={PROBE_SIDE} 2={len(picture)}"
    lines = ["7767517", f"{count} {count}", f"Input picture 0 1 picture {size}"]
    for convolution, source, result in zip(convolutions, names[:-1], names[1:], strict=True):
        numbers = " ".join(word for word in convolution if "=" in word)
        lines.append(f"Convolution {result} 1 1 {source} {result} {numbers}")
    if net.load_param_mem("\n".join([*lines, ""])) or net.load_model(str(weights)):
        raise RuntimeError("it can't load the first layers")
    return torch.from_numpy(_run(net, picture.numpy()))


def _kernel(convolution: Sequence[str], method: str) -> str:
    if SIZE_3 not in convolution:
        return "1x1 f32"
    # Those that leave pixels out are not filtered.
    if UNSTRIDED not in convolution:
        return "3x3 strided f32"
    return f"3x3 {method}" if UNDILATED in convolution else "3x3 dilated f32"
