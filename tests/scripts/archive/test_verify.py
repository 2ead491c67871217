import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.archive.build import build_archive
from scripts.archive.record import ArchiveRecordError, verify_archive
from scripts.archive.verify import verify, verify_model
from scripts.weights.record import WeightsError, WeightsRecord
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
    weights, archive = build / "weights" / "u2netp.pth", build / "model-store" / "u2netp.mar"
    record, metadata = WeightsRecord.beside(weights), verify_archive(archive, "u2netp")
    assert set(metadata.files_sha256) == {"u2netp.bin", "u2netp.param"}
    assert done.stdout.splitlines() == [
        f"{weights}: SHA-256 {record.sha256}, as recorded; Apache-2.0",
        f"  converted from {record.source}",
        f"{weights.with_suffix('.onnx')}: as the record names it",
        f"{archive}: SHA-256 as in {archive}.sha256; every member is whole",
        *(
            f"  {name}: SHA-256 {digest}, as its metadata says"
            for name, digest in metadata.files_sha256.items()
        ),
        "  fp32 on ncnn; Apache-2.0",
        f"  weights: {metadata.weights_source}",
    ]


def test_an_archive_alone_is_held_against_a_record_from_elsewhere(
    build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(build / "weights")
    published = tmp_path / "published.sha256"
    (build / "model-store" / "u2netp.mar.sha256").rename(published)

    verify(["--build", str(build), "--model", "u2netp", "--record", str(published)])

    said = capsys.readouterr().out
    assert said.startswith(f"{build / 'model-store' / 'u2netp.mar'}: SHA-256 as in {published};")


def test_its_help_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        verify(["--help"])

    assert capsys.readouterr().out.startswith("usage: python -m scripts verify ")


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
