"""Runs the saliency network in plain torch: on GPUs, and on CPUs without another runtime."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from execution import Precision
from runtime_errors import ModelLoadError
from saliency_network import SaliencyNetwork, Variant

DTYPES = {
    Precision.FP32: torch.float32,
    Precision.BF16: torch.bfloat16,
    Precision.FP16: torch.float16,
}


@dataclass(frozen=True)
class TorchRuntime:
    """The folded network on one device, its weights and maps in one floating-point type."""

    network: SaliencyNetwork
    device: torch.device
    dtype: torch.dtype

    @property
    def description(self) -> str:
        """The library that runs the network, and its version."""
        return f"torch {torch.__version__}"

    @property
    def device_description(self) -> str:
        """The device that runs the network."""
        if self.device.type == "cuda":
            return f"{self.device} ({torch.cuda.get_device_name(self.device)})"
        return f"cpu, {torch.get_num_threads()} thread(s)"

    @property
    def kernels(self) -> dict[str, int]:
        """The kernels that run the convolutions: torch chooses them, and tells the type alone."""
        convolutions = [m for m in self.network.modules() if isinstance(m, torch.nn.Conv2d)]
        name = f"{self.device.type} {str(self.dtype).removeprefix('torch.')}"
        return {name: len(convolutions)}

    def __call__(self, batch: Tensor) -> Tensor:
        """Return each picture's seven saliency maps: (B, 3, H, W) -> (B, 7, H, W) in [0, 1]."""
        batch = batch.to(dtype=self.dtype, memory_format=torch.channels_last)
        if self.device.type == "cpu":
            # One by one costs no time on a CPU and keeps the memory of a batch that of one picture.
            maps = torch.cat([self.network(picture) for picture in torch.split(batch, 1)])
        else:
            maps = self.network(batch)
        return maps.float()


def load_torch(
    files: Sequence[Path],
    variant: Variant,
    precision: Precision,
    device: torch.device,
) -> TorchRuntime:
    """Load folded weights, a state dict saved by ``torch.save``, onto a device.

    Raises:
        ModelLoadError: they are not weights of that variant, or torch has no such precision there.
    """
    if precision not in DTYPES:
        raise ModelLoadError(f"torch does not run the network in {precision.value}")
    (weights,) = files
    # Built without memory of its own; the weights below become its parameters.
    with torch.device("meta"):
        network = SaliencyNetwork(variant, batch_norm=False)
    state = torch.load(weights, map_location=device, weights_only=True)
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise ModelLoadError(f"{weights.name} does not hold weights of {variant.name}") from error
    # The ground of exactness: a GPU would otherwise round the convolutions' inputs to 10 bits.
    torch.backends.cudnn.allow_tf32 = False
    network.eval().requires_grad_(False)
    network.to(DTYPES[precision]).to(memory_format=torch.channels_last)
    return TorchRuntime(network, device, DTYPES[precision])
