import subprocess
import sys

import pytest

from tests.conftest import ROOT
from u2net_cutout.network.import_guard import skipped_imports

UNUSED = "colorsys"


def test_a_skipped_module_counts_as_not_installed_and_later_as_installed() -> None:
    sys.modules.pop(UNUSED, None)

    with skipped_imports(UNUSED), pytest.raises(ModuleNotFoundError):
        import colorsys
    import colorsys

    assert colorsys.rgb_to_hsv(1, 1, 1) == (0, 0, 1)


def test_what_is_imported_already_stays() -> None:
    with skipped_imports("sys"):
        import sys as same

    assert same is sys


def test_a_worker_loads_no_compiler_and_no_second_runtime() -> None:
    look = "import sys, u2net_handler; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", look],
        cwd=ROOT / "handler",
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = set(done.stdout.split())
    assert "u2net_handler" in loaded
    assert not loaded & {"torch._dynamo", "torchvision", "onnxruntime", "openvino", "ncnn"}
