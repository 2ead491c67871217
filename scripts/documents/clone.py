"""A copy of the repository to run things in: a clone with the uncommitted changes."""

import os
import shutil
import subprocess
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.common.paths import ROOT

PICTURE = Path("docs/astronaut.jpg")
# Shared with the copy, which saves setting up; the rest of a build folder belongs to one server.
SHARED = ("weights", "networks", "photos", "wheels")
# Prerequisites of .venv and build/wheels: made older, so that make does not build these again.
SOURCES_OF_SHARED = ("pyproject.toml", "constraints.txt", "model_requirements.txt")


class CopyError(CommandError):
    """The repository can't be copied or shared; the message says why and what to do."""


def copy_repository(target: Path) -> None:
    """Copy the files that git tracks or would add: a clone with the uncommitted changes.

    Raises:
        CopyError: there is no git, or no repository.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CopyError(f"git can't list the repository's files: {error}") from error
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def share(target: Path, build: Path) -> None:
    """Link this repository's environment and weights into a copy, which saves setting up."""
    if not (ROOT / ".venv" / ".serving").exists():
        raise CopyError("there is no environment to share: make install, or FRESH=1")
    (target / ".venv").symlink_to((ROOT / ".venv").resolve())
    for name in SOURCES_OF_SHARED:
        os.utime(target / name, (0, 0))
    (target / "build").mkdir()
    for name in SHARED:
        if (build / name).exists():
            (target / "build" / name).symlink_to((build / name).resolve())


def prepare_photos(target: Path) -> None:
    """Write the photos that the documents use: photo.jpg, and some in photos/."""
    (target / "photos").mkdir()
    for place in ("photo.jpg", "photos/one.jpg", "photos/two.jpg"):
        shutil.copyfile(target / PICTURE, target / place)
