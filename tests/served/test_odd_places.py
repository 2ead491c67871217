"""A clone whose path is not ASCII, where the locale knows nothing else, as under cron."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from scripts.torchserve.config import ServerConfig
from scripts.torchserve.process import TorchServeProcess
from tests.conftest import BUILD, ROOT, WEIGHTS, WHEELS
from tests.served.conftest import Served, free_port


def test_a_clone_whose_path_is_not_ascii_serves_in_the_c_locale(
    weights: Path, photo_files: list[Path]
) -> None:
    # pytest's own folders can be too deep for the workers' sockets.
    with tempfile.TemporaryDirectory(prefix="ünïcode-") as folder:
        serve_in(Path(folder) / "clone", photo_files[3].read_bytes())


def serve_in(clone: Path, photo: bytes) -> None:
    left_out = shutil.ignore_patterns(
        *(".venv", ".git", ".hypothesis", BUILD.name, "tests", "docs", "__pycache__")
    )
    shutil.copytree(ROOT, clone, ignore=left_out)
    (clone / ".venv").symlink_to(ROOT / ".venv")
    build = clone / "build"
    build.mkdir()
    for shared in (WEIGHTS, WEIGHTS.parent / "networks", WEIGHTS.parent / "photos", WHEELS):
        (build / shared.name).symlink_to(shared)
    config = ServerConfig.of(free_port(), build)
    try:
        served = subprocess.run(
            [
                *("make", "--silent", "serve", "MODEL=u2netp", "PRECISION=fp32", "RUNTIME=ncnn"),
                *("WORKERS=1", f"PORT={config.port}"),
            ],
            cwd=clone,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )

        assert served.returncode == 0, served.stderr
        response = Served(build, config).ask(data=photo, method="PUT")
        assert response.status_code == 200
    finally:
        TorchServeProcess(config).stop()
