"""What this machine's processor has, and which precisions it computes in natively."""

import platform
from pathlib import Path

from u2net_cutout.network.precision import Precision

CPUINFO = Path("/proc/cpuinfo")

# The instructions of which a processor needs one for it to be right and worth it, by the names that
# Linux gives them. 8-bit products without VNNI overflow their 16-bit sums.
INSTRUCTIONS: dict[Precision, frozenset[str]] = {
    Precision.INT8: frozenset({"avx512_vnni", "avx_vnni", "amx_int8"}),
    Precision.BF16: frozenset({"avx512_bf16", "amx_bf16"}),
}


def cpu_has(precision: Precision, cpuinfo: Path = CPUINFO) -> bool:
    """Say whether this machine's CPU calculates natively in a precision.

    Source: https://docs.kernel.org/arch/x86/cpuinfo.html. Other architectures than x86 are taken
    to have fp32 alone, which is all that was tried there.
    """
    if precision is Precision.FP32:
        return True
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    return not INSTRUCTIONS.get(precision, frozenset()).isdisjoint(cpu_flags(cpuinfo))


def cpu_flags(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """Return the names that Linux gives to what the CPU has."""
    return frozenset(cpu_fact("flags", cpuinfo).split())


def cpu_name(cpuinfo: Path = CPUINFO) -> str:
    """Return what this machine's CPU is called, and its flags: two of a name may differ in them."""
    named = cpu_fact("model name", cpuinfo) or platform.machine()
    return f"{named} {cpu_fact('flags', cpuinfo)}"


def cpu_fact(name: str, cpuinfo: Path = CPUINFO) -> str:
    """Return a field of the first CPU in Linux's cpuinfo; empty where there is none."""
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ""
    facts = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in facts if key.strip() == name), "")
