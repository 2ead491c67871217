import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.archive.build import build_archive
from scripts.archive.record import ArchiveRecordError
from scripts.archive.verify import verify_model
from scripts.weights.record import WeightsError
from tests.conftest import ROOT


@pytest.fixture
def build(networks: dict[str, Path], weights: Path, tmp_path: Path) -> Path:
    """A build folder with the weights, and the archive, of u2netp."""
    build_archive("u2netp", "1.0", networks["u2netp"], tmp_path / "model-store")
    (tmp_path / "weights").mkdir()
    for file in weights.glob("u2netp.*"):
        shutil.copy(file, tmp_path / "weights")
    return tmp_path


def test_it_says_what_it_proved(build: Path) -> None:
    done = subprocess.run(
        ["make", "--silent", "verify", "MODEL=u2netp", f"BUILD={build}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    for proven in ("u2netp.pth", "u2netp.onnx", "u2netp.mar", "u2netp.bin", "u2netp.param"):
        assert proven in done.stdout
    assert "Apache-2.0" in done.stdout


@pytest.mark.parametrize("name", ["u2netp.pth", "u2netp.onnx"])
def test_exchanged_weights_are_told(build: Path, name: str) -> None:
    with (build / "weights" / name).open("ab") as file:
        file.write(b"x")

    with pytest.raises(WeightsError, match=name):
        verify_model(build, "u2netp", None)


def test_a_missing_archive_is_told(build: Path) -> None:
    (build / "model-store" / "u2netp.mar").unlink()

    with pytest.raises(ArchiveRecordError, match="make archive"):
        verify_model(build, "u2netp", None)
