"""In which library and arithmetic a network can run."""

from dataclasses import dataclass
from enum import Enum


class Runtime(Enum):
    """The library that runs the network; the value is that of ``make archive RUNTIME=``."""

    OPENVINO = "openvino"
    """The fastest on CPUs in 16 and 8 bits."""
    NCNN = "ncnn"
    """The fastest on CPUs in float32."""
    TORCH = "torch"
    """Plain torch: for GPUs, and wherever the others are not."""


class Precision(Enum):
    """What the convolutions calculate in; the value is that of ``make archive PRECISION=``."""

    FP32 = "fp32"
    """32-bit floating point: exact."""
    BF16 = "bf16"
    """16-bit floating point with 8 bits of precision."""
    FP16 = "fp16"
    """16-bit floating point with 11 bits of precision; on GPUs."""
    INT8 = "int8"
    """8-bit integers in all 3x3 convolutions but the one that sees the picture, one that is
    sensitive, and those that draw a map; of these the finest is in 8 bits as well."""


@dataclass(frozen=True)
class Choice:
    """In what a network is served."""

    runtime: Runtime
    precision: Precision
    device: str = "cpu"
    """The kind of device, as torch calls it: ``cpu`` or ``cuda``."""

    def __str__(self) -> str:
        """Return it as part of a folder's name."""
        named = f"{self.precision.value}-{self.runtime.value}"
        return named if self.device == "cpu" else f"{named}-{self.device}"
