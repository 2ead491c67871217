"""Loads the saliency network of an archive into the library that runs it, and checks what runs."""

import hashlib
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from u2net_cutout.network.cpu_features import INSTRUCTIONS, cpu_has
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.precision import Precision, Runtime
from u2net_cutout.network.torch_runtime import load_torch
from u2net_cutout.network.variant import VARIANTS


class SaliencyRuntime(Protocol):
    """The network, loaded and ready on one device."""

    @property
    def description(self) -> str:
        """The library that runs the network, and its version."""

    @property
    def device_description(self) -> str:
        """The device that runs the network."""

    @property
    def kernels(self) -> dict[str, int]:
        """The kernels that run the convolutions, as the library names them, and how many each."""

    def __call__(self, batch: Tensor) -> Tensor:
        """Return each picture's saliency maps: (B, 3, S, S) -> (B, M, S, S) in [0, 1].

        Both are float32, on ``device``; S and M are the variant's ``size`` and ``map_count``.
        """


def load_runtime(
    model_dir: Path, metadata: ModelMetadata, device: torch.device, threads: int
) -> SaliencyRuntime:
    """Load the network that an unpacked archive holds, each of its files proven by its hash.

    `threads` is how many OpenVINO and ncnn may use; torch's own setting holds for torch.

    Raises:
        ModelLoadError: the files are damaged or not what they claim to be, or this machine can't
            run them as they are meant to be.
    """
    try:
        runtime, precision = Runtime(metadata.runtime), Precision(metadata.precision)
        variant = VARIANTS[metadata.variant]
    except (KeyError, ValueError) as error:
        raise ModelLoadError(f"the archive's {error} is not known here") from error
    if metadata.device != device.type:
        raise ModelLoadError(
            f"the archive is built for {metadata.device}, but TorchServe assigned {device}: build "
            "it here, or for CPUs with RUNTIME=openvino"
        )
    if device.type == "cpu" and not cpu_has(precision):
        needed = " or ".join(sorted(INSTRUCTIONS.get(precision, {"a GPU"})))
        raise ModelLoadError(
            f"{precision.value} needs {needed}, which this machine's CPU does not have: build the "
            "archive with PRECISION=fp32"
        )
    files = [_proven(model_dir / name, digest) for name, digest in metadata.files_sha256.items()]
    if runtime is Runtime.TORCH:
        return load_torch(files, variant, precision, device)
    try:
        # Only the one that is needed: an archive for one does without the others.
        if runtime is Runtime.NCNN:
            from u2net_cutout.network.ncnn_runtime import load_ncnn

            return load_ncnn(files, precision, threads)
        from u2net_cutout.network.openvino_runtime import load_openvino

        return load_openvino(files, variant, precision, threads)
    except ImportError as error:
        raise ModelLoadError(
            f"the server's environment has no working {runtime.value} ({error}): pip install "
            f"{runtime.value}, or build the archive with RUNTIME=torch"
        ) from error


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


def _proven(path: Path, digest: str) -> Path:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelLoadError(f"{path.name} can't be read: {error}") from error
    if found != digest:
        raise ModelLoadError(f"{path.name} is damaged: SHA-256 {found}, expected {digest}")
    return path
