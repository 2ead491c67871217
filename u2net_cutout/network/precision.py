"""In which library and arithmetic a network can run, and what this machine's processor has."""

import platform
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


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


# The instructions of which a processor needs one for it to be right and worth it, by the names that
# Linux gives them. 8-bit products without VNNI overflow their 16-bit sums.
INSTRUCTIONS: dict[Precision, frozenset[str]] = {
    Precision.INT8: frozenset({"avx512_vnni", "avx_vnni", "amx_int8"}),
    Precision.BF16: frozenset({"avx512_bf16", "amx_bf16"}),
}


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


def cpu_has(precision: Precision, cpuinfo: Path = CPUINFO) -> bool:
    """Say whether this machine's CPU calculates natively in a precision.

    Source: https://docs.kernel.org/arch/x86/cpuinfo.html. Other architectures than x86 are taken
    to have fp32 alone, which is all that was tried there.
    """
    if precision is Precision.FP32:
        return True
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    flags = cpu_fact("flags", cpuinfo).split()
    return not INSTRUCTIONS.get(precision, frozenset()).isdisjoint(flags)


def cpu_name(cpuinfo: Path = CPUINFO) -> str:
    """Return what this machine's CPU is called, and its flags: two of a name may differ in them."""
    named = cpu_fact("model name", cpuinfo) or platform.machine()
    return f"{named} {cpu_fact('flags', cpuinfo)}"


def cpu_fact(name: str, cpuinfo: Path = CPUINFO) -> str:
    """Return what Linux tells of the first CPU under a name; nothing where it does not."""
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ""
    facts = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in facts if key.strip() == name), "")
