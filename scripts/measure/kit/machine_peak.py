"""The machine's own peak: square matrix products in torch, and the network's arithmetic."""

import os
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from u2net_cutout.network.cpu_features import cpu_has
from u2net_cutout.network.precision import Precision
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import VARIANTS

# Large enough that memory is not the limit.
SIDE = 2048
SAMPLES = 12
SAMPLE_S = 0.3

Product = Callable[[Tensor, Tensor], Tensor]
# torch has no public product of int8 matrices.
PRODUCTS: dict[Precision, tuple[torch.dtype, Product]] = {
    Precision.FP32: (torch.float32, torch.mm),
    Precision.BF16: (torch.bfloat16, torch.mm),
    Precision.INT8: (torch.int8, torch._int_mm),
}


def measure_peaks() -> dict[str, float]:
    """Return operations a second on all cores by precision: 2 for each multiply-add.

    A precision that the CPU lacks has none: torch multiplies in it without vectors, for minutes.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    native = {precision.value: PRODUCTS[precision] for precision in PRODUCTS if cpu_has(precision)}
    return {name: _peak(*product) for name, product in native.items()}


def network_operations(name: str) -> int:
    """Count the network's operations for one picture: 2 for each multiply-add."""
    variant = VARIANTS[name]
    with torch.device("meta"):
        network = SaliencyNetwork(variant, batch_norm=False).eval()
        picture = torch.empty(1, 3, variant.size, variant.size)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(picture)
    return int(counter.get_total_flops())


def _peak(dtype: torch.dtype, product: Product) -> float:
    """Take the best of several samples: whatever else runs here can only slow one down."""
    left, right = (torch.randint(-8, 8, (SIDE, SIDE)).to(dtype) for _ in range(2))
    return max(_operations_a_second(left, right, product) for _ in range(SAMPLES))


def _operations_a_second(left: Tensor, right: Tensor, product: Product) -> float:
    start, products = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < SAMPLE_S:
        product(left, right)
        products += 1
    return products * 2 * SIDE**3 / seconds
