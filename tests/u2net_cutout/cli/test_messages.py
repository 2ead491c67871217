import pytest

from u2net_cutout.cli.messages import RetryReport
from u2net_cutout.client.errors import TryLater


def test_one_line_says_it_for_all_pictures_in_flight(capsys: pytest.CaptureFixture[str]) -> None:
    report = RetryReport()

    for pause in (1.4, 2.0, 4.0):
        report(TryLater("no connection"), pause)

    assert capsys.readouterr().err == "no connection; trying again in 1 s\n"
