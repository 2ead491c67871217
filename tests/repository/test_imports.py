"""Rules of imports that import-linter's contracts in pyproject.toml can't express."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

ENTRY_POINT = ROOT / "handler" / "u2net_handler.py"
PACKAGE = ROOT / "u2net_cutout"


def imports(path: Path) -> set[str]:
    """The full names of what a module imports; relative imports begin with a dot."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (ROOT / folder).rglob("*.py")


def test_the_entry_point_has_one_class_and_nothing_that_torchserve_takes_for_it() -> None:
    body = ast.parse(ENTRY_POINT.read_text(encoding="utf-8")).body
    functions = {node.name for node in body if isinstance(node, ast.FunctionDef)}

    assert [node.name for node in body if isinstance(node, ast.ClassDef)] == ["U2Net"]
    assert "handle" not in functions


def test_imports_are_absolute_and_never_by_the_handlers_folder() -> None:
    for path in modules("handler", "u2net_cutout", "scripts", "tests", "docs/examples"):
        assert not [name for name in imports(path) if name.startswith((".", "handler."))], path


def test_the_archive_imports_neither_scripts_nor_the_entry_point() -> None:
    for path in (ROOT / "preprocessing.py", *PACKAGE.rglob("*.py")):
        roots = {name.partition(".")[0] for name in imports(path)}
        assert not roots & {"scripts", "tests", "u2net_handler"}, path


def test_the_wheel_has_the_packages_that_the_client_reaches_and_needs_what_they_import() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    reached: set[str] = set()
    libraries: set[str] = set()
    todo = list((PACKAGE / "client").rglob("*.py"))
    while todo:
        path = todo.pop()
        reached.add(".".join(path.relative_to(ROOT).parent.parts))
        for name in imports(path):
            inner = ROOT / Path(*name.split(".")).with_suffix(".py")
            if not name.startswith("u2net_cutout."):
                libraries.add(name.partition(".")[0])
            elif ".".join(inner.relative_to(ROOT).parent.parts) not in reached:
                todo += inner.parent.glob("*.py")

    assert reached | {"u2net_cutout"} == set(settings["tool"]["setuptools"]["packages"])
    assert libraries - sys.stdlib_module_names - {"u2net_cutout"} == {
        *("PIL", "isal", "numpy", "pillow_heif", "requests", "tenacity", "tqdm", "urllib3")
    }


def test_no_top_level_name_hides_a_module_of_the_standard_library() -> None:
    names = {"preprocessing", "u2net_handler", "u2net_cutout", "scripts", "tests"}

    assert not names & sys.stdlib_module_names
