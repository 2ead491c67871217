import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scripts.release.prune import PruneError, remove_unloaded, unused_packages
from tests.conftest import ROOT
from u2net_cutout.network.metadata import ModelMetadata

LIBRARY = Path(torch.__file__).parent / "lib" / "libc10.so"
CPU = ModelMetadata("u2net", "ncnn", "fp32", "cpu", {}, "", "", {}, "")


def test_the_served_runtime_stays() -> None:
    assert "openvino" in unused_packages(CPU)
    assert "ncnn" not in unused_packages(CPU)
    assert "openvino" not in unused_packages(replace(CPU, runtime="openvino"))


def test_an_archive_for_a_gpu_keeps_everything() -> None:
    assert unused_packages(replace(CPU, runtime="torch", device="cuda")) == []


def test_a_server_imports_without_what_is_removed() -> None:
    gone = "sys.modules.update(dict.fromkeys(name.replace('-', '_') for name in sys.argv[1:]))"
    serving = "import u2net_cutout.network.ncnn_runtime, scripts.lifecycle.commands"
    code = f"import sys; {gone}; sys.path.insert(0, 'handler'); {serving}, u2net_handler"

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *unused_packages(CPU)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that loads one of its two libraries."""
    folder = tmp_path / "loads_one"
    folder.mkdir()
    for name in ("used.so", "unused.so"):
        shutil.copy(LIBRARY, folder / name)
    load = "import ctypes, pathlib\nctypes.CDLL(pathlib.Path(__file__).with_name('used.so'))\n"
    (folder / "__init__.py").write_text(load)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return folder


def test_a_library_that_is_loaded_stays(package: Path) -> None:
    freed = remove_unloaded(package, package.name)

    assert freed == LIBRARY.stat().st_size
    assert sorted(file.name for file in package.iterdir()) == ["__init__.py", "used.so"]


def test_nothing_is_removed_below_a_module_that_fails(package: Path) -> None:
    (package / "used.so").unlink()

    with pytest.raises(PruneError, match=r"used\.so"):
        remove_unloaded(package, package.name)

    assert (package / "unused.so").exists()
