"""Rules of imports that import-linter's contracts in pyproject.toml can't express."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

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


def reached(*packages: str) -> tuple[set[str], set[str]]:
    """The packages that some of ours reach by their imports, and the libraries that they need."""
    found: set[str] = set()
    libraries: set[str] = set()
    todo = [path for package in packages for path in (PACKAGE / package).rglob("*.py")]
    while todo:
        path = todo.pop()
        found.add(".".join(path.relative_to(ROOT).parent.parts))
        for name in imports(path):
            inner = ROOT / Path(*name.split(".")).with_suffix(".py")
            if not name.startswith("u2net_cutout."):
                libraries.add(name.partition(".")[0])
            elif ".".join(inner.relative_to(ROOT).parent.parts) not in found:
                todo += inner.parent.glob("*.py")
    return found, libraries - sys.stdlib_module_names - {"u2net_cutout"}


def requirements(*extras: str) -> set[str]:
    """The modules of what the wheel needs, with some of its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][name] for name in extras)]
    modules = {"pillow": "PIL", "pyyaml": "yaml"}
    names = {Requirement(each).name for named in lists for each in named}
    return {modules.get(name, name.replace("-", "_")) for name in names}


def test_the_wheel_has_the_packages_that_the_command_reaches_and_needs_what_they_import() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages, libraries = reached("cli")

    assert packages | {"u2net_cutout"} == set(settings["tool"]["setuptools"]["packages"])
    # torchvision decodes for GPUs, which an archive opened in Python does without.
    assert libraries - {"torchvision"} == requirements("local", "heic")


def test_the_client_needs_no_extra() -> None:
    assert reached("client")[1] - {"pillow_heif"} == requirements() - {"tqdm"}


def test_no_top_level_name_hides_a_module_of_the_standard_library() -> None:
    names = {"preprocessing", "u2net_handler", "u2net_cutout", "scripts", "tests"}

    assert not names & sys.stdlib_module_names
