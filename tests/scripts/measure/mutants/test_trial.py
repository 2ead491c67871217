"""Tests that run on a copy with a fault in it."""

from pathlib import Path

import pytest

from scripts.measure.kit.errors import BenchError
from scripts.measure.mutants.tally import Outcome
from scripts.measure.mutants.trial import Trial
from tests.conftest import BUILD, ROOT

MODULE = Path("scripts/torchserve/versions.py")
TESTS = [Path("tests/scripts/torchserve/test_versions.py")]


def test_a_fault_is_noticed_in_the_copy_alone(tmp_path: Path) -> None:
    trial, source = Trial(tmp_path / "tree", BUILD), (ROOT / MODULE).read_text()

    outcomes = [
        trial.run(MODULE, fault, TESTS)
        for fault in (source + "\n", source.replace("return version\n", "return None\n"), source)
    ]

    assert outcomes == [Outcome.SURVIVED, Outcome.NOTICED, Outcome.SURVIVED]
    for file in (ROOT / MODULE, trial.tree / MODULE):
        assert file.read_text() == source


def test_what_never_ends_counts_as_noticed(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "tree", BUILD, time_factor=1, least_s=0)
    endless = (ROOT / MODULE).read_text() + "\nwhile True:\n    pass\n"

    assert trial.run(MODULE, endless, TESTS) is Outcome.OVERDUE


def test_tests_that_fail_without_a_fault_prove_nothing(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "tree", BUILD)
    failing = Path("tests/test_failing.py")
    (trial.tree / failing).write_text("def test_it():\n    assert False\n")

    with pytest.raises(BenchError, match="fail without a fault"):
        trial.run(MODULE, "", [failing])
