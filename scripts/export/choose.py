"""Choose the runtime and precision of a network for this machine, and export it into a folder.

``scripts.export.write`` does the export. It is imported only for that: it takes seconds to load.
"""

import hashlib
import importlib.metadata
import importlib.util
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.common.files import sha256_of
from scripts.common.locks import locked
from scripts.common.paths import ROOT
from scripts.export.parity import PARITY_FILE, ParityError, check_parity
from u2net_cutout.network.cpu_features import cpu_has, cpu_name
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.precision import Choice, Precision, Runtime

AUTO = "auto"

# What decides how a network comes out, and what its masks measure.
SOURCES = (
    ROOT / "scripts" / "weights" / "photos.py",
    ROOT / "u2net_cutout" / "matting" / "alpha.py",
    *sorted((ROOT / "u2net_cutout" / "network").glob("*.py")),
    *sorted((ROOT / "scripts" / "export").glob("*.py")),
)
# What is kept of weights by ``scripts.export.calibration``.
CALIBRATIONS = ROOT / "scripts" / "export" / "calibrations"
# Fastest first, and so are the runtimes of each. What does not hold its bound, or is not in this
# machine's CPU, is passed over.
CPU_RUNTIMES = {
    Precision.INT8: (Runtime.OPENVINO,),
    Precision.BF16: (Runtime.OPENVINO, Runtime.TORCH),
    Precision.FP32: (Runtime.NCNN, Runtime.OPENVINO, Runtime.TORCH),
}
GPU_PRECISIONS = (Precision.FP16, Precision.BF16, Precision.FP32)
# There where a driver of NVIDIA's is; torch, which takes seconds to import, is then asked.
GPU_DEVICE = Path("/dev/nvidiactl")
# The libraries of the runtimes.
LIBRARIES = tuple(runtime.value for runtime in Runtime)


class ChoiceError(CommandError):
    """There is no such network; the message says why and what to do."""


def choices(runtime: str, precision: str) -> list[Choice]:
    """Return what may be served here, fastest first; each argument is a value or "auto".

    Raises:
        ChoiceError: there is no such runtime or precision, or not together.
    """
    try:
        library = None if runtime == AUTO else Runtime(runtime)
        wanted = None if precision == AUTO else Precision(precision)
    except ValueError as error:
        raise ChoiceError(
            f"{error}; RUNTIME is auto or one of {_values(Runtime)}, "
            f"PRECISION auto or one of {_values(Precision)}"
        ) from error
    on_gpu = library in (None, Runtime.TORCH) and has_gpu()
    offered = _on_gpu() if on_gpu else _on_cpu(library)
    found = [choice for choice in offered if wanted in (None, choice.precision)]
    if not found:
        which = f"{library.value} can't" if library else "no installed runtime can"
        raise ChoiceError(
            f"{which} run the network in {precision} here; choose {_listed(offered)}"
            + (", and others on the CPU: RUNTIME=openvino" if on_gpu else "")
        )
    if wanted is not None:
        return found
    return [choice for choice in found if on_gpu or cpu_has(choice.precision)]


def _on_gpu() -> list[Choice]:
    return [Choice(Runtime.TORCH, precision, "cuda") for precision in GPU_PRECISIONS]


def _on_cpu(library: Runtime | None) -> list[Choice]:
    """Return each precision in the library, or in the fastest that is installed.

    float32, the last resort, in every one that is: the next is there where the first does not run.
    """
    found = []
    for precision, runtimes in CPU_RUNTIMES.items():
        able = [each for each in runtimes if each is library or (not library and _installed(each))]
        count = len(able) if precision is Precision.FP32 else 1
        found += [Choice(runtime, precision) for runtime in able[:count]]
    return found


def export_network(
    weights: Path, networks: Path, photos: Path, pip_arguments: Sequence[str], choice: Choice
) -> Path:
    """Write the network of a weights file as chosen, unless it is there; return its folder.

    Raises:
        ParityError: its masks are further from float32's than its precision may be.
        WeightsError: the weights are missing or damaged.
        WheelDataError: the photos to measure on can't be had.
        ModelLoadError: this machine can't run it.
    """
    folder = networks / f"{weights.stem}-{choice}"
    digest = _digest(weights, choice)
    networks.mkdir(parents=True, exist_ok=True)
    with locked(networks, f"another command writes to {networks}; waiting for it"):
        if not _is_fresh(folder, digest):
            print(f"writing {weights.stem} for {choice.runtime.value} in {choice.precision.value}")
            from scripts.export.write import PhotoSource, write_network

            with tempfile.TemporaryDirectory(dir=networks) as scratch:
                source = PhotoSource(photos, pip_arguments)
                written = Path(scratch) / folder.name
                written.mkdir()
                write_network(weights, written, choice, source, digest)
                shutil.rmtree(folder, ignore_errors=True)
                written.replace(folder)
    metadata = ModelMetadata.read(folder)
    check_parity(metadata.parity, metadata.variant, choice.precision)
    return folder


def export_best(
    weights: Path,
    networks: Path,
    photos: Path,
    pip_arguments: Sequence[str],
    candidates: Sequence[Choice],
) -> Path:
    """Write the first of the candidates that runs and holds its bound; return its folder.

    Raises:
        ParityError, ModelLoadError: the last one does not either.
    """
    for candidate in candidates[:-1]:
        try:
            return export_network(weights, networks, photos, pip_arguments, candidate)
        except (ParityError, ModelLoadError) as error:
            print(f"{weights.stem}: {error}; taking the next best", flush=True)
    return export_network(weights, networks, photos, pip_arguments, candidates[-1])


def has_gpu() -> bool:
    """Say whether torch sees a GPU."""
    if not GPU_DEVICE.exists():
        return False
    import torch

    return torch.cuda.is_available()


def _listed(offered: Sequence[Choice]) -> str:
    return ", ".join(dict.fromkeys(choice.precision.value for choice in offered))


def _installed(runtime: Runtime) -> bool:
    return importlib.util.find_spec(runtime.value) is not None


def _digest(weights: Path, choice: Choice) -> str:
    # Measured on this CPU, by these libraries: others have to measure for themselves.
    facts = [str(choice), sha256_of(weights), cpu_name(), *map(_version, LIBRARIES)]
    digest = hashlib.sha256("\0".join(facts).encode())
    for source in (*SOURCES, *sorted(CALIBRATIONS.glob(f"{weights.stem}-*.json"))):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _is_fresh(folder: Path, digest: str) -> bool:
    try:
        metadata = ModelMetadata.read(folder)
        found = {name: sha256_of(folder / name) for name in metadata.files_sha256}
        complete = (folder / PARITY_FILE).exists()
    except (OSError, ValueError):
        return False
    return complete and (metadata.sources_sha256, metadata.files_sha256) == (digest, found)


def _values(kind: type[Runtime] | type[Precision]) -> str:
    return ", ".join(each.value for each in kind)
