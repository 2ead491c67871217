from pathlib import Path

import pytest

from scripts.measure.kit.errors import BenchError
from scripts.measure.mutants.targets import MODULES, find_modules, mirror_of, package_tests_of


def test_every_module_that_is_mutated_has_a_test_file() -> None:
    modules = find_modules(MODULES)

    assert Path("u2net_cutout/matting/foreground.py") in modules
    assert not [each for each in modules if each.name == "__init__.py"]


def test_tests_mirror_the_packages() -> None:
    module = Path("scripts/lifecycle/drain.py")

    assert mirror_of(module) == Path("tests/scripts/lifecycle/test_drain.py")
    assert package_tests_of(module) == Path("tests/scripts/lifecycle")
    assert package_tests_of(Path("preprocessing.py")) is None


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("u2net_cutout/nothing.py", "no such module"), ("scripts/common/http.py", "has no tests/")],
)
def test_what_can_not_be_mutated_is_named(pattern: str, words: str) -> None:
    with pytest.raises(BenchError, match=words):
        find_modules((pattern,))
