"""Unpacks pillow-heif from the archive's own wheels, as TorchServe does for its workers."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path


def heif_packages(build: Path) -> Path | None:
    """Return a folder that has pillow-heif; None if the environment has it, or no wheel of it."""
    if find_spec("pillow_heif") is not None:
        return None
    folder, wheels = build / "torture" / "packages", build / "wheels"
    if (folder / "pillow_heif").exists():
        return folder
    if not list(wheels.glob("pillow_heif-*.whl")):
        print(f"no HEIC: make serve fetches pillow-heif into {wheels}", file=sys.stderr)
        return None
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
            *("--find-links", str(wheels), "--target", str(folder), "pillow_heif"),
        ],
        check=True,
    )
    return folder
