from pathlib import Path

import pytest

from scripts.measure.kit.errors import BenchError
from scripts.measure.mutants.equivalents import LIST, read_equivalents


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
