"""docs/off-torchserve.md: the example's cutouts are the server's, byte by byte."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.served.conftest import Served

EXAMPLE = "docs.examples.cutout_without_torchserve"


def test_its_cutouts_are_the_servers(
    served: Served, networks: dict[str, Path], photo_files: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in photo_files:
        shutil.copy(photo, folder)
    (folder / "text.jpg").write_text("no picture")
    cutouts = tmp_path / "cutouts"

    done = subprocess.run(
        [sys.executable, "-m", EXAMPLE, str(networks["u2netp"]), str(folder), str(cutouts)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "text.jpg: invalid_file_type" in done.stderr
    assert len(list(cutouts.iterdir())) == len(photo_files)
    for photo in photo_files:
        answer = served.ask(files={"image_file": photo.read_bytes()}, data={"format": "png"})
        assert (cutouts / f"{photo.name}.png").read_bytes() == answer.content


def test_it_does_without_torchserve() -> None:
    code = f"import sys; import {EXAMPLE}; print('ts' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "False"
