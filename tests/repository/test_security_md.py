"""SECURITY.md names its proofs: they must be there."""

import ast
import re

import pytest

from tests.conftest import ROOT

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
# As it stands there, a name may be cut short by dots.
NAMES = sorted(set(re.findall(r"`[^`]*?(test_[a-z0-9_]+?)(?:_?\.\.\.)?`", TEXT)))
FUNCTIONS = {
    node.name
    for path in (ROOT / "tests").rglob("test_*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.FunctionDef)
}


@pytest.mark.parametrize("name", NAMES)
def test_each_test_that_is_named_is_there(name: str) -> None:
    assert any(function.startswith(name) for function in FUNCTIONS)


@pytest.mark.parametrize("file", sorted(set(re.findall(r"(?:tests/)?(test_\w+\.py)", TEXT))))
def test_each_file_that_is_named_is_there(file: str) -> None:
    assert list((ROOT / "tests").rglob(file))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([a-z]+)", TEXT))))
def test_each_command_that_is_named_is_there(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
