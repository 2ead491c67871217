from pathlib import Path

import pytest

from scripts.measure.kit.debian import unpack
from scripts.measure.kit.errors import BenchError


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "no-such-package").mkdir()

    assert unpack("no-such-package", tmp_path, "") == tmp_path / "no-such-package"


def test_a_package_that_nobody_has_is_told_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"(?s)no-such-package.*take another way"):
        unpack("no-such-package", tmp_path, "take another way")

    assert not list(tmp_path.iterdir())
