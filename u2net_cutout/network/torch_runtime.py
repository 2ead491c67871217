"""Runs the saliency network in plain torch: on GPUs, and on CPUs without another runtime."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.precision import Precision
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import Variant

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
    whole_batches: bool
    """Run all pictures of a batch at once, as GPUs do; one by one as CPUs."""

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
        """Where, in which type and memory format the weights of the convolutions really are.

        Torch chooses the kernels that run them, and does not report which.
        """
        weights = [m.weight for m in self.network.modules() if isinstance(m, torch.nn.Conv2d)]
        return dict(Counter(_whereabouts(weight) for weight in weights))

    def __call__(self, batch: Tensor) -> Tensor:
        """Return each picture's saliency maps: (B, 3, S, S) -> (B, M, S, S) in [0, 1]."""
        batch = batch.to(dtype=self.dtype, memory_format=torch.channels_last)
        if self.whole_batches:
            return self._checked(self.network(batch).float())
        # One by one costs no time on a CPU and keeps the memory of a batch that of one picture.
        return torch.cat([self.network(picture) for picture in torch.split(batch, 1)]).float()

    def _checked(self, maps: Tensor) -> Tensor:
        """Return the maps once they are there: a GPU's failures come to light only then."""
        if not maps.isfinite().all():
            raise FloatingPointError(f"the network left the range of {self.dtype}")
        return maps


def load_torch(
    files: Sequence[Path],
    variant: Variant,
    precision: Precision,
    device: torch.device,
) -> TorchRuntime:
    """Load folded weights, a state dict saved by ``torch.save``, onto a device.

    Raises:
        ModelLoadError: they are not weights of that variant, torch has no such precision there, or
            does not put them where they should be.
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
    # The ground of exactness: a GPU would otherwise round what it multiplies to 10 bits.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    network.eval().requires_grad_(False)
    network.to(DTYPES[precision]).to(memory_format=torch.channels_last)
    runtime = TorchRuntime(network, device, DTYPES[precision], device.type != "cpu")
    _prove(runtime)
    return runtime


def _prove(runtime: TorchRuntime) -> None:
    """Look at the weights themselves: a device or a precision that is only named proves nothing."""
    parameters = runtime.network.parameters()
    found = {(str(each.device), each.dtype) for each in parameters}
    if found != {(str(runtime.device), runtime.dtype)}:
        raise ModelLoadError(
            f"the weights should be on {runtime.device} in {runtime.dtype}, but torch put them "
            f"on {sorted(map(str, found))}"
        )


def _whereabouts(weight: Tensor) -> str:
    dtype = str(weight.dtype).removeprefix("torch.")
    nhwc = weight.is_contiguous(memory_format=torch.channels_last)
    return f"{weight.device.type} {dtype} {'channels_last' if nhwc else 'channels_first'}"
