from pathlib import Path

import pytest

from scripts.measure.kit.errors import BenchError
from scripts.measure.mutants.equivalents import LIST, Equivalent, read_equivalents


def test_each_line_of_the_list_is_still_there_and_has_a_reason() -> None:
    for each in read_equivalents(LIST):
        assert each.before != each.after
        assert each.reason.endswith(".")


def test_a_line_that_is_gone_is_named(tmp_path: Path) -> None:
    stale = tmp_path / "stale.toml"
    stale.write_text(
        '[["preprocessing.py"]]\nbefore = "SIZE = 1"\nafter = "SIZE = 2"\nreason = "None."\n'
    )

    with pytest.raises(BenchError, match=r"preprocessing\.py has no line 'SIZE = 1'"):
        read_equivalents(stale)


def test_a_line_may_become_several_without_a_difference(tmp_path: Path) -> None:
    several = tmp_path / "several.toml"
    several.write_text(
        '[["preprocessing.py"]]\nbefore = "import"\nafter = ["as", "from"]\nreason = "None."\n'
    )

    assert [each.after for each in read_equivalents(several)] == ["as", "from"]


def test_an_entry_covers_its_own_change_or_every_change_of_its_line() -> None:
    one = Equivalent("a.py", "x = 1", "It is 1.", "x = 2")
    every = Equivalent("a.py", "x = 1", "It is 1.")

    assert one.covers("a.py", "x = 1", "x = 2")
    assert not one.covers("a.py", "x = 1", "x = 3")
    assert every.covers("a.py", "x = 1", "x = 3")
    assert not every.covers("b.py", "x = 1", "x = 3")
    assert not every.covers("a.py", "x = 0", "x = 3")
