"""Remove from an image's Python environment what an archive for CPUs does not use.

torch of the default package index is linked with CUDA's libraries. Those that it loads must stay;
an index of CPU-only builds (PIP_ARGS) has a torch without any.
"""

import importlib.util
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.common.options import parse
from scripts.common.paths import archive_of
from u2net_cutout.network.metadata import METADATA_FILE, ModelMetadata
from u2net_cutout.network.precision import Runtime

# What converts weights, and what nothing else requires of it.
CONVERSION = ("onnx", "onnxruntime", "flatbuffers", "ml-dtypes")
# What torch.compile uses, and torch's tools for CUDA.
COMPILERS = ("triton", "cuda-bindings", "cuda-pathfinder")
# The runtimes that are packages of their own name.
RUNTIMES = {Runtime.NCNN, Runtime.OPENVINO}


class PruneError(CommandError):
    """The environment can't do without what was to be removed; the message says what failed."""


def unused_packages(metadata: ModelMetadata) -> list[str]:
    """Return the packages that a server of an archive does not use; none if it is for a GPU."""
    if metadata.device != "cpu":
        return []
    others = sorted(each.value for each in RUNTIMES if each.value != metadata.runtime)
    return [*CONVERSION, *COMPILERS, *others]


def remove_unloaded(folder: Path, module: str) -> int:
    """Remove what is in `folder` but Python code and libraries that importing `module` loads.

    Return how many bytes that were.

    Raises:
        PruneError: the module can't be imported, before or after.
    """
    loaded = {
        Path(words[5]) for words in map(str.split, _import(module).splitlines()) if len(words) == 6
    }
    freed = 0
    for file in folder.rglob("*"):
        if file.is_file() and file.suffix != ".py" and file.resolve() not in loaded:
            freed += file.lstat().st_size
            file.unlink()
    _import(module)
    return freed


def prune(line: Sequence[str]) -> None:
    """Remove from this Python environment what MODEL's archive does not use."""
    arguments = parse("prune", "Remove what MODEL's archive does not use.", line, "build", "model")
    archive = archive_of(arguments.build, arguments.model)
    try:
        with zipfile.ZipFile(archive) as members:
            metadata = ModelMetadata.from_json(members.read(METADATA_FILE))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise PruneError(f"{archive} can't be read: make archive") from error
    packages = unused_packages(metadata)
    if not packages:
        print(f"the archive is for {metadata.device}: all packages stay")
        return
    command = [sys.executable, "-m", "pip", "uninstall", "--quiet", "--yes", *packages]
    subprocess.run(command, check=True)
    freed = sum(remove_unloaded(Path(each), "torch") for each in _folders_of("nvidia"))
    print(f"removed {', '.join(packages)}, and {freed >> 20} MiB that torch does not load")


def _folders_of(package: str) -> list[str]:
    found = importlib.util.find_spec(package)
    return list(found.submodule_search_locations or ()) if found else []


def _import(module: str) -> str:
    """Return the memory map of a process that has imported a module."""
    code = f"import {module}; print(open('/proc/self/maps').read())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PruneError(f"{module} can't be imported:\n{done.stderr}")
    return done.stdout
