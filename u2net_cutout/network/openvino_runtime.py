"""Runs the saliency network in OpenVINO's CPU runtime, the fastest on CPUs in 8 and 16 bits.

API: https://docs.openvino.ai/2026/api/ie_python_api/api.html
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from u2net_cutout.network.cpu_features import cpu_flags
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.openvino_library import openvino
from u2net_cutout.network.precision import Precision
from u2net_cutout.network.variant import Variant

# The precision hint for what the graph does not have in 8 bits. Beside
# them float32 is about as fast as bfloat16, and truer.
HINTS = {Precision.FP32: "f32", Precision.BF16: "bf16", Precision.INT8: "f32"}
# The precisions that it then reports of a convolution: of what it takes, which has a sign where a
# stem answers it.
CONVOLUTION_TYPES = {
    Precision.FP32: ("f32",),
    Precision.BF16: ("bf16",),
    Precision.INT8: ("u8", "i8"),
}
# The convolutions that stay in float32, beside a variant's sensitive ones. In 8 bits: the first,
# five sides in two steps each, and the second step of the finest side. The output convolution is a
# matrix product, and not counted.
FLOATING_POINT = {Precision.BF16: 0, Precision.INT8: 12}
# What OpenVINO calls kernels that were written to be read, not to be fast.
SLOW_KERNEL = "ref"
# What OpenVINO calls the instructions of ``cpu_features.INSTRUCTIONS``. Older ones are slower, and
# their 8-bit products overflow.
VECTOR_KERNELS = ("avx512", "avx10", "amx")
# AVX-VNNI's kernels are called as AVX2's. OpenVINO takes them where the CPU has the flag, unless
# ``ONEDNN_MAX_CPU_ISA`` forbids it, which can't be told.
AVX_VNNI_KERNEL, AVX_VNNI_FLAG = "avx2", "avx_vnni"


@dataclass(frozen=True)
class OpenVinoRuntime:
    """The network, compiled for this machine's CPU."""

    request: openvino.InferRequest
    threads: int
    cpu: str
    kernels: dict[str, int]
    """The kernels that run the convolutions, as OpenVINO names them, and how many each."""

    @property
    def description(self) -> str:
        """The library that runs the network, and its version."""
        return f"openvino {openvino.__version__.partition('-')[0]}"

    @property
    def device_description(self) -> str:
        """The device that runs the network."""
        return f"cpu ({self.cpu}), {self.threads} thread(s)"

    def __call__(self, batch: Tensor) -> Tensor:
        """Return each picture's saliency maps: (B, 3, S, S) -> (B, M, S, S) in [0, 1].

        One by one, which costs no time on a CPU and keeps a batch's memory that of one picture.
        """
        maps = []
        for picture in torch.split(batch, 1):
            self.request.infer([picture.contiguous().numpy()])
            # The next picture's maps overwrite these.
            maps.append(torch.from_numpy(self.request.get_output_tensor(0).data.copy()))
        return torch.cat(maps) if len(maps) > 1 else maps[0]


def load_openvino(
    files: Sequence[Path], variant: Variant, precision: Precision, threads: int
) -> OpenVinoRuntime:
    """Compile a network in OpenVINO's format, a graph (``.xml``) and its weights (``.bin``).

    Raises:
        ModelLoadError: the files are no such network, or this machine does not run it as meant.
    """
    if precision not in HINTS:
        raise ModelLoadError(f"OpenVINO does not run the network in {precision.value}")
    by_suffix = {file.suffix: file for file in files}
    core = openvino.Core()
    try:
        network = core.read_model(by_suffix[".xml"], by_suffix[".bin"])
        compiled = core.compile_model(
            network,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": HINTS[precision],
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                # Every process would pin its threads to the same first cores.
                "ENABLE_CPU_PINNING": False,
            },
        )
    except (KeyError, RuntimeError) as error:
        raise ModelLoadError(
            f"OpenVINO {openvino.__version__} can't load {[f.name for f in files]}: {error}"
        ) from error
    kernels = _proven_kernels(compiled, variant, precision)
    cpu = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
    return OpenVinoRuntime(compiled.create_infer_request(), threads, cpu, kernels)


def _proven_kernels(
    compiled: openvino.CompiledModel, variant: Variant, precision: Precision
) -> dict[str, int]:
    """Return what runs the convolutions, by OpenVINO's own account of the compiled network.

    Raises:
        ModelLoadError: they run in another precision than asked for.
    """
    facts = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    convolutions = [each for each in facts if _text(each, "layerType") == "Convolution"]
    kernels = Counter(_text(each, "primitiveType") for each in convolutions)
    types = Counter(_text(each, "runtimePrecision") for each in convolutions)
    others = len(convolutions) - sum(types[each] for each in CONVOLUTION_TYPES[precision])
    slow = [kernel for kernel in kernels if not _is_fast(kernel, precision)]
    if others > kept_floating(variant, precision) or slow or not convolutions:
        raise ModelLoadError(
            f"OpenVINO {openvino.__version__} runs the network's convolutions not in "
            f"{precision.value} here, but in {dict(types)} by {sorted(kernels)}: build the archive "
            "with PRECISION=fp32, or with RUNTIME=torch"
        )
    return dict(kernels)


def kept_floating(variant: Variant, precision: Precision) -> int:
    """Return how many convolutions of a variant stay in float32 among those of fewer bits."""
    if precision not in FLOATING_POINT:
        return 0
    return FLOATING_POINT[precision] + len(variant.sensitive)


def _is_fast(kernel: str, precision: Precision) -> bool:
    if SLOW_KERNEL in kernel:
        return False
    if precision is Precision.FP32 or any(name in kernel for name in VECTOR_KERNELS):
        return True
    return (
        precision is Precision.INT8 and AVX_VNNI_KERNEL in kernel and AVX_VNNI_FLAG in cpu_flags()
    )


def _text(facts: Any, name: str) -> str:
    return str(facts[name].astype(str)) if name in facts else ""
