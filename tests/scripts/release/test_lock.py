import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from scripts.common.files import sha256_of
from scripts.release.lock import LOCKS, LockError, check_lock, lock_of, this_platform
from scripts.release.sbom import read_lock
from tests.conftest import ROOT, WHEELS


def item(name: str, **download: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "version": "1.0"}, "download_info": download}


def with_sum(digest: str) -> dict[str, Any]:
    return {"url": "any", "archive_info": {"hashes": {"sha256": digest}}}


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {name.lower().replace("_", "-"): version for name, version in pairs}


@pytest.mark.parametrize("name", list(LOCKS))
def test_a_lock_pins_what_the_constraints_pin(name: str) -> None:
    locked = read_lock(ROOT / name)
    pinned = constraints()

    assert locked
    for package, (version, digest) in locked.items():
        assert pinned.get(package, version) == version
        assert len(digest) == 64
        assert int(digest, 16) > 0


def test_the_servers_lock_covers_what_the_server_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = read_lock(ROOT / "requirements.lock")

    needed = [*project["dependencies"], *project["optional-dependencies"]["serve"]]
    for requirement in map(Requirement, needed):
        version, _ = locked[requirement.name]
        assert requirement.specifier.contains(version)


def test_the_models_lock_is_of_what_the_archive_asks_for() -> None:
    lines = (ROOT / "model_requirements.txt").read_text().splitlines()
    asked = dict(line.split("==") for line in lines if not line.startswith("#"))

    locked = read_lock(ROOT / "model_requirements.lock")

    assert {name: version for name, (version, _) in locked.items()} == asked


def test_no_lock_names_an_index_or_a_path() -> None:
    for name in LOCKS:
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "/" not in text


def test_the_project_itself_is_not_locked() -> None:
    report = {"install": [item("Some_Package", **with_sum("ab")), item("us", dir_info={}, url="x")]}

    header, *lines = lock_of(report).splitlines()

    assert this_platform() in header
    assert lines == ["some-package==1.0 --hash=sha256:ab"]


def test_what_has_no_sum_is_refused() -> None:
    with pytest.raises(LockError, match=r"no SHA-256 of any 1\.0"):
        lock_of({"install": [item("any", url="git+ssh", vcs_info={})]})


def test_another_kind_of_machine_is_told(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(lock_of({"install": []}))
    check_lock(lock)
    lock.write_text("# made for: cp399 riscv, by make lock\n")

    with pytest.raises(LockError, match=r"is for cp399 riscv, but this is cp3.*make lock"):
        check_lock(lock)


def install(wheels: Path, lock: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Install as `make HASHES=1` does, from a folder."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--isolated", "install", "--quiet", "--no-index"),
            *("--require-hashes", "--only-binary=:all:", "--no-deps", "--no-compile"),
            *("--target", str(target)),
            *("--find-links", str(wheels), "-r", str(lock)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_pip_refuses_another_wheel_of_the_same_name(tmp_path: Path) -> None:
    (sound,) = WHEELS.glob("pillow_heif-*.whl")
    lock = tmp_path / "lock"
    lock.write_text(f"pillow-heif==1.8.1 --hash=sha256:{sha256_of(sound)}\n")
    exchanged = tmp_path / "wheels" / sound.name
    exchanged.parent.mkdir()
    exchanged.write_bytes(sound.read_bytes() + b"\0")

    assert install(WHEELS, lock, tmp_path / "sound").returncode == 0
    refused = install(exchanged.parent, lock, tmp_path / "exchanged")

    assert refused.returncode != 0
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert not list((tmp_path / "exchanged").glob("pillow_heif*"))


def test_telemetry_is_not_locked() -> None:
    report = {"install": [item("openvino_telemetry", **with_sum("ab"))]}

    assert lock_of(report).count("\n") == 1
    assert "openvino-telemetry" not in read_lock(ROOT / "requirements.lock")
