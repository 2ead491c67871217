from scripts.weights.photos import CALIBRATION, EVALUATION


def test_nothing_is_measured_on_what_was_calibrated_with() -> None:
    assert not {file.sha256 for file in CALIBRATION} & {file.sha256 for file in EVALUATION}


def test_no_two_photos_share_a_name() -> None:
    names = [file.name for file in (*CALIBRATION, *EVALUATION)]

    assert len(set(names)) == len(names)
