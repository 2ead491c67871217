"""A copy of the repository to try things in, as a clone with today's changes would be."""

import os
import shutil
import subprocess
from pathlib import Path

from scripts.common.errors import CommandError
from scripts.common.paths import ROOT

PICTURE = Path("docs/astronaut.jpg")
# What setting up anew is spared with; the rest of a build folder is of one server.
SHARED = ("weights", "networks", "photos", "wheels")
# What make would make .venv and build/wheels anew for.
SOURCES_OF_SHARED = ("pyproject.toml", "constraints.txt", "model_requirements.txt")


class CopyError(CommandError):
    """There is nothing to copy or to lend; the message says what to do."""


def copy_repository(target: Path) -> None:
    """Copy what git knows or would take, as a clone with today's changes would be.

    Raises:
        CopyError: there is no git, or no repository.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CopyError(f"git can't tell what a clone would hold: {error}") from error
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def lend(target: Path, build: Path) -> None:
    """Spare a copy the minutes of setting up: it gets this repository's environment and weights."""
    if not (ROOT / ".venv" / ".serving").exists():
        raise CopyError("there is no environment to lend: make install, or FRESH=1")
    (target / ".venv").symlink_to((ROOT / ".venv").resolve())
    for name in SOURCES_OF_SHARED:
        os.utime(target / name, (0, 0))
    (target / "build").mkdir()
    for name in SHARED:
        if (build / name).exists():
            (target / "build" / name).symlink_to((build / name).resolve())


def prepare_photos(target: Path) -> None:
    """Put the photos there that the documents speak of: photo.jpg, and some in photos/."""
    (target / "photos").mkdir()
    for place in ("photo.jpg", "photos/one.jpg", "photos/two.jpg"):
        shutil.copyfile(target / PICTURE, target / place)
