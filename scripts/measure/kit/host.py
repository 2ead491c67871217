"""The machine, and the versions that run on it."""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from u2net_cutout.network.cpu_features import cpu_fact

INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "amx_bf16")
# Fields of a model's description that don't describe how it runs.
NOT_SETTINGS = (
    *("model", "version", "variant", "weights_sha256", "weights_source", "license"),
    *("input_size", "formats", "limits"),
)
PACKAGES = ("torch", "openvino", "ncnn", "onnxruntime", "torchserve", "pillow", "numpy")


def describe_machine() -> dict[str, str]:
    """Name the machine and the versions of what serves."""
    model = cpu_fact("model name") or platform.processor() or platform.machine()
    flags = cpu_fact("flags").split()
    family = f" (family {cpu_fact('cpu family')}, model {cpu_fact('model')})"
    return {
        "CPU": model + (family if flags else ""),
        "cores that may be used": str(len(os.sched_getaffinity(0))),
        "instructions": ", ".join(name for name in INSTRUCTIONS if name in flags),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        **{name: found for name in PACKAGES if (found := _version(name))},
    }


def peer_versions(pins: Path) -> dict[str, str]:
    """Read the versions of the peers, and of the runtime under them."""
    lines = (line.strip().partition("==") for line in pins.read_text(encoding="utf-8").splitlines())
    wanted = {"rembg", "litserve", "onnxruntime", "pillow"}
    return {name: pinned for name, _, pinned in lines if name in wanted}


def served_facts(status: Mapping[str, Any]) -> dict[str, str]:
    """Return how one model runs, and on how many workers, from ``make status JSON=1``."""
    (version,) = status["versions"]
    facts = {name: str(value) for name, value in version["description"].items()}
    kept = {name: value for name, value in facts.items() if name not in NOT_SETTINGS}
    return {"workers": str(len(version["workers"])), **kept}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
