import re
from pathlib import Path

import pytest

from scripts.export import calibration
from scripts.export.calibrate import calibrate
from scripts.weights import photos
from tests.conftest import WEIGHTS


def test_a_model_is_calibrated_kept_and_measured(
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(calibration, "CALIBRATIONS", tmp_path / "calibrations")
    monkeypatch.setattr(photos, "CALIBRATION", photos.CALIBRATION[:1])
    monkeypatch.setattr(photos, "EVALUATION", photos.EVALUATION[:1])

    calibrate(["--model", "u2netp", "--build", str(WEIGHTS.parent)])

    [file] = (tmp_path / "calibrations").iterdir()
    out = capsys.readouterr().out
    assert f"{file}: " in out
    assert re.search(r"china.jpg +error 0\.0", out)
