"""Runs the saliency network on a device. Knows weights and devices; no picture, no request."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from model_metadata import ModelMetadata
from saliency_network import INPUT_SIZE, VARIANTS, SaliencyNetwork

PRECISION = "fp32"


class ModelLoadError(RuntimeError):
    """The model can't be served. A RuntimeError, because TorchServe reports no other kind."""


@dataclass(frozen=True)
class SaliencyRuntime:
    """The folded network in float32 on plain torch, on one device."""

    network: SaliencyNetwork
    device: torch.device

    @property
    def description(self) -> str:
        """The library that really runs the network."""
        return f"torch {torch.__version__}"

    @property
    def device_description(self) -> str:
        """The device that really runs the network."""
        if self.device.type == "cuda":
            return f"{self.device} ({torch.cuda.get_device_name(self.device)})"
        return str(self.device)

    def __call__(self, batch: Tensor) -> Tensor:
        """Return each picture's seven saliency maps: (B, 3, H, W) -> (B, 7, H, W) in [0, 1]."""
        batch = batch.contiguous(memory_format=torch.channels_last)
        if self.device.type == "cpu":
            # One by one costs no time on a CPU and keeps the memory of a batch that of one picture.
            return torch.cat([self.network(picture) for picture in torch.split(batch, 1)])
        maps: Tensor = self.network(batch)
        return maps

    def warm_up(self) -> None:
        """Run the network once, so that the first request is as fast as the rest."""
        with torch.inference_mode():
            self(torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE, device=self.device))


def load_runtime(weights: Path, metadata: ModelMetadata, device: torch.device) -> SaliencyRuntime:
    """Load folded weights, proven by their hash, onto a device.

    Raises:
        ModelLoadError: the weights are damaged, or are not those of the variant.
    """
    variant = VARIANTS.get(metadata.variant)
    if variant is None:
        raise ModelLoadError(f"unknown variant {metadata.variant!r}; known: {sorted(VARIANTS)}")
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != metadata.weights_sha256:
        raise ModelLoadError(
            f"{weights.name} is damaged: SHA-256 {found}, expected {metadata.weights_sha256}"
        )
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
    network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return SaliencyRuntime(network, device)


def choose_device(gpu_id: int | None) -> torch.device:
    """Return the GPU that TorchServe assigned, or the CPU if it assigned none.

    Raises:
        ModelLoadError: a GPU was assigned and torch sees none. Serving on the CPU instead would
            be slow in silence.
    """
    if gpu_id is None:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ModelLoadError(
            f"TorchServe assigned GPU {gpu_id}, but torch {torch.__version__} sees no GPU. Install "
            "a CUDA build of torch, or set deviceType: cpu in model-config.yaml"
        )
    return torch.device("cuda", gpu_id)
