"""Files out of a Debian package, without installing it: any machine with apt can get them."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from scripts.measure.kit.errors import BenchError


def unpack(package: str, folder: Path, otherwise: str) -> Path:
    """Fetch a package and unpack it below `folder`, unless it is there; return its root.

    `otherwise` is what to do on a machine that can't fetch it.

    Raises:
        BenchError: there is no apt here, or it does not know the package.
    """
    root = folder / package
    if root.exists():
        return root
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise BenchError(
            f"apt-get, which fetches the Debian package {package}, is missing: {otherwise}"
        )
    print(f"fetching the Debian package {package}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        _run(["apt-get", "download", package], Path(scratch), package, otherwise)
        (archive,) = Path(scratch).glob("*.deb")
        _run(["dpkg-deb", "-x", archive.name, "root"], Path(scratch), package, otherwise)
        (Path(scratch) / "root").replace(root)
    return root


def _run(command: list[str], folder: Path, package: str, otherwise: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(
            f"the Debian package {package} can't be fetched: try apt-get update, or "
            f"{otherwise}:\n{done.stderr.strip()}"
        )
