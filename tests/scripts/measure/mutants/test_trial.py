"""Tests that run on a copy with a fault in it."""

from pathlib import Path

import pytest

from scripts.measure.mutants.tally import Outcome
from scripts.measure.mutants.trial import Trial
from tests.conftest import BUILD, ROOT

MODULE = Path("scripts/torchserve/versions.py")
TESTS = [Path("tests/scripts/torchserve/test_versions.py")]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return Trial(tmp_path_factory.mktemp("mutants") / "tree", BUILD)


def test_a_fault_is_noticed_in_the_copy_alone(trial: Trial) -> None:
    source = (ROOT / MODULE).read_text()

    outcomes = [
        trial.run(MODULE, fault, TESTS)
        for fault in (source + "\n", source.replace("return version\n", "return None\n"), source)
    ]

    assert outcomes == [Outcome.SURVIVED, Outcome.NOTICED, Outcome.SURVIVED]
    for file in (ROOT / MODULE, trial.tree / MODULE):
        assert file.read_text() == source


def test_what_never_ends_counts_as_noticed(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.measure.mutants.trial.LEAST_S", 1)
    endless = (ROOT / MODULE).read_text() + "\nwhile True:\n    pass\n"

    assert trial.run(MODULE, endless, TESTS) is Outcome.OVERDUE
