"""OpenVINO's telemetry stays out, whether it is installed or not."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LOADED = "openvino_telemetry was loaded"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which importing ``openvino_telemetry`` ends the process."""
    (tmp_path / "openvino_telemetry.py").write_text(f"raise SystemExit({LOADED!r})\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def run(code: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return done.stderr.strip() or done.stdout.strip()


def test_telemetry_that_is_installed_is_not_loaded(environment: dict[str, str]) -> None:
    module = "u2net_cutout.network.openvino_library"
    look = f"import sys; from {module} import openvino; print(openvino.Core().available_devices)"

    assert "CPU" in run(look, environment)
    assert run("import openvino", environment) == LOADED


def test_telemetry_is_not_installed() -> None:
    assert importlib.util.find_spec("openvino_telemetry") is None
