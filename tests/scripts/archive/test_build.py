import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from scripts.archive.build import (
    MODEL_CONFIG,
    ArchiveError,
    archived_metadata,
    build_archive,
    check_limits,
)
from scripts.archive.handler_file import OUTSIDE
from scripts.common.files import sha256_of
from tests.conftest import ROOT, WEIGHTS
from tests.mounts import in_a_thread, read_only, small_disk


@pytest.fixture(scope="module")
def network(networks: dict[str, Path]) -> Path:
    return networks["u2netp"]


@pytest.fixture(scope="module")
def archive(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_archive("u2netp", "1.0", network, tmp_path_factory.mktemp("store"))


def test_another_clone_builds_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    # Another place, other times, other permissions, another order of files.
    clone = tmp_path / "clone"
    for name in ("scripts", "handler", "u2net_cutout"):
        shutil.copytree(ROOT / name, clone / name, copy_function=shutil.copyfile)
    for name in ("preprocessing.py", "model_requirements.txt", "config.properties"):
        shutil.copyfile(ROOT / name, clone / name)
    for file in clone.rglob("*.py"):
        file.chmod(0o600)
        os.utime(file, (1, 1))
    # A build folder of its own: the network is written anew, in another process.
    build = tmp_path / "build"
    build.mkdir()
    for shared in (WEIGHTS, WEIGHTS.parent / "photos"):
        (build / shared.name).symlink_to(shared)
    subprocess.run(
        [
            *(sys.executable, "-m", "scripts", "archive", "--model", "u2netp", "--version", "1.0"),
            *("--build", str(build), "--precision", "fp32"),
        ],
        cwd=clone,
        check=True,
    )

    assert sha256_of(build / "model-store" / "u2netp.mar") == sha256_of(archive)


def test_a_fresh_archive_is_left_alone(archive: Path, network: Path) -> None:
    before = archive.stat().st_mtime_ns

    build_archive("u2netp", "1.0", network, archive.parent)

    assert archive.stat().st_mtime_ns == before


def test_another_version_is_another_archive(network: Path, tmp_path: Path) -> None:
    for version in ("1.0", "1.1"):
        archive = build_archive("u2netp", version, network, tmp_path)
        with zipfile.ZipFile(archive) as members:
            manifest = json.loads(members.read("MAR-INF/MANIFEST.json"))
        assert manifest["model"]["modelVersion"] == version


def test_a_truncated_archive_is_built_again(archive: Path, network: Path, tmp_path: Path) -> None:
    truncated = tmp_path / archive.name
    truncated.write_bytes(archive.read_bytes()[:1000])
    assert archived_metadata(truncated) is None

    build_archive("u2netp", "1.0", network, tmp_path)

    assert sha256_of(truncated) == sha256_of(archive)


def test_the_archive_holds_what_it_needs_and_tells_what_it_is(archive: Path, network: Path) -> None:
    with zipfile.ZipFile(archive) as members:
        names = set(members.namelist())
        manifest = json.loads(members.read("MAR-INF/MANIFEST.json"))
    metadata = archived_metadata(archive)

    package = (path.relative_to(ROOT) for path in (ROOT / "u2net_cutout").rglob("*.py"))
    modules = {path.as_posix() for path in package if path.parts[1] not in OUTSIDE}
    data = {"u2netp.bin", "u2netp.param", "metadata.json", "parity.json"}
    others = {"model-config.yaml", "model_requirements.txt", "preprocessing.py", "u2net_handler.py"}
    assert names == modules | data | others | {"MAR-INF/MANIFEST.json"}
    assert manifest["model"]["handler"] == "u2net_handler.py"
    assert manifest["model"]["requirementsFile"] == "model_requirements.txt"
    assert manifest["model"]["configFile"] == "model-config.yaml"
    assert metadata is not None
    assert metadata.weights_sha256 == sha256_of(network / "u2netp.bin")
    assert (metadata.runtime, metadata.precision) == ("ncnn", "fp32")
    assert metadata.parity["worst_error"] <= 1e-4
    assert metadata.license == "Apache-2.0"


def test_the_unpacked_archive_can_be_imported_alone(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive) as members:
        members.extractall(tmp_path)
    # As TorchServe's model loader does: import the module, take its only class.
    program = (
        f"import inspect, sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import u2net_handler as handler\n"
        "from preprocessing import Normalize, Rescale\n"
        "classes = [name for name, value in vars(handler).items()\n"
        "           if inspect.isclass(value) and value.__module__ == handler.__name__]\n"
        "print(classes, hasattr(handler, 'handle'))"
    )

    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['U2Net'] False"


def test_what_the_configuration_leaves_open_is_the_models(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_isnet = tmp_path / "isnet-network"
    shutil.copytree(network, of_isnet)
    described = of_isnet / "metadata.json"
    facts = json.loads(described.read_text())
    described.write_text(json.dumps({**facts, "variant": "isnet"}))

    assert configured(network, tmp_path / "a") == (30, "cpu")
    assert configured(of_isnet, tmp_path / "b") == (60, "cpu")

    chosen = tmp_path / "model-config.yaml"
    usual = MODEL_CONFIG.read_text(encoding="utf-8")
    chosen.write_text(f"responseTimeout: 90\ndeviceType: gpu\n{usual}")
    monkeypatch.setattr("scripts.archive.build.MODEL_CONFIG", chosen)
    assert configured(of_isnet, tmp_path / "c") == (90, "gpu")


def configured(network: Path, store: Path) -> tuple[int, str]:
    with zipfile.ZipFile(build_archive("model", "1.0", network, store)) as members:
        config = yaml.safe_load(members.read("model-config.yaml"))
    return config["responseTimeout"], config["deviceType"]


@pytest.mark.parametrize("name", ["max_request_size", "max_response_size"])
def test_limits_that_torchserve_does_not_carry_are_refused(tmp_path: Path, name: str) -> None:
    config = tmp_path / "config.properties"
    text = (ROOT / "config.properties").read_text()
    config.write_text("".join(f"{line}\n" for line in text.splitlines() if name not in line))

    with pytest.raises(ArchiveError, match=name):
        check_limits(ROOT / "handler" / "model-config.yaml", config)


def test_a_full_or_a_read_only_disk_is_a_sentence(
    networks: dict[str, Path], tmp_path: Path
) -> None:
    in_a_thread(build_on_odd_disks, networks["u2netp"].parent.parent, tmp_path)


def build_on_odd_disks(shared: Path, folder: Path) -> None:
    full, protected = folder / "full", folder / "protected"
    protected.mkdir()
    with small_disk(full, "size=1m"):
        for build in (full, protected):
            for name in ("weights", "networks", "photos"):
                (build / name).symlink_to(shared / name)
        on_a_full_disk = make_archive(full)
        with read_only(protected):
            on_a_read_only_disk = make_archive(protected)

    assert "No space left on device" in on_a_full_disk
    assert "Read-only file system: choose a BUILD=/path that can be written" in on_a_read_only_disk
    assert "Traceback" not in on_a_full_disk + on_a_read_only_disk


def make_archive(build: Path) -> str:
    line = ["make", "--silent", "archive", "MODEL=u2netp", "PRECISION=fp32", "RUNTIME=ncnn"]
    done = subprocess.run(
        [*line, f"BUILD={build}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    return done.stderr
