"""Nothing here runs what it reads: the calls that ruff's S rules don't know, or only in part."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    *(ROOT / "handler").glob("*.py"),
    *(ROOT / "u2net_cutout").rglob("*.py"),
    *(ROOT / "scripts").rglob("*.py"),
    *(ROOT / "docs" / "examples").glob("*.py"),
    *(ROOT / "tests").rglob("*.py"),
    ROOT / "preprocessing.py",
]

# What unpickles, or runs text as code, whatever its arguments are.
NEVER_CALLED = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads"),
    *("shelve.open", "dill.load", "dill.loads", "cloudpickle.load", "joblib.load"),
    *("torch.jit.load", "torch.package.PackageImporter", "torch.hub.load", "pandas.read_pickle"),
    *("torch.export.load", "torch.ops.load_library", "torch.classes.load_library"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "yaml.FullLoader"),
    *("eval", "exec", "compile", "os.system", "os.popen", "subprocess.getoutput"),
    *("subprocess.getstatusoutput", "ctypes.CDLL", "importlib.util.spec_from_file_location"),
    *("tempfile.mktemp", "shutil.unpack_archive"),
}
# Arguments that a call must have, and those that it must not, by its name or by any name.
REQUIRED = {"torch.load": {"weights_only": True}}
FORBIDDEN = {"allow_pickle": True, "shell": True, "verify": False, "trust_remote_code": True}

# The C library alone, for what Python does not offer: malloc_trim, and a mount of one's own.
C_LIBRARY = {"memory_trim", "mounts"}
# The exceptions that torch.load raises are pickle's; nothing of it is called.
PICKLES_EXCEPTION = {"convert.py", "test_torch_runtime.py"}


def objections(source: str) -> Iterator[str]:
    """Say what is unsafe in a program, each with its line."""
    tree = ast.parse(source)
    origins = dict(_origins(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _full_name(node.func, origins)
        if name in NEVER_CALLED:
            yield f"line {node.lineno}: {name}"
        given = {each.arg: each.value for each in node.keywords if each.arg}
        for argument, value in REQUIRED.get(name, {}).items():
            if not _is_constant(given.get(argument), value):
                yield f"line {node.lineno}: {name} without {argument}={value}"
        for argument, value in FORBIDDEN.items():
            if argument in given and not _is_constant(given[argument], not value):
                yield f"line {node.lineno}: {argument} is not plainly {not value}"


def _origins(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what each imported name stands for: ``from torch import load`` -> torch.load."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (
                    (alias.asname or alias.name.partition(".")[0]),
                    (alias.name if alias.asname else alias.name.partition(".")[0]),
                )
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _full_name(node: ast.expr, origins: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_full_name(node.value, origins)}.{node.attr}"
    return origins.get(node.id, node.id) if isinstance(node, ast.Name) else "?"


def _is_constant(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_runs_what_it_reads(path: Path) -> None:
    found = objections(path.read_text(encoding="utf-8"))
    if path.stem in C_LIBRARY:
        found = (each for each in found if not each.endswith("ctypes.CDLL"))

    assert list(found) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_pickle_is_imported_for_its_exception_alone(path: Path) -> None:
    imported = {name.partition(".")[0] for _, name in _origins(ast.parse(path.read_text()))}
    pickling = imported & {
        "pickle",
        "_pickle",
        "cPickle",
        "dill",
        "cloudpickle",
        "joblib",
        "marshal",
    }

    assert not pickling or path.name in PICKLES_EXCEPTION


@pytest.mark.parametrize(
    "program",
    [
        "import torch\ntorch.load(file)",
        "import torch as t\nt.load(file, weights_only=False)",
        "from torch import load\nload(file, weights_only=trusted)",
        "import pickle\npickle.loads(x)",
        "from pickle import Unpickler as U\nU(x)",
        "import torch.jit\ntorch.jit.load(file)",
        "import yaml\nyaml.load(text, yaml.SafeLoader)",
        "import numpy as np\nnp.load(file, allow_pickle=True)",
        "import numpy as np\nnp.load(file, allow_pickle=wanted)",
        "import subprocess\nsubprocess.run(line, shell=True)",
        "import requests\nrequests.get(url, verify=False)",
        "eval(text)",
        "import os\nos.system(line)",
    ],
)
def test_what_is_unsafe_is_found(program: str) -> None:
    assert len(list(objections(program))) == 1


@pytest.mark.parametrize(
    "program",
    [
        "import torch\ntorch.load(file, weights_only=True)",
        "import yaml\nyaml.safe_load(text)",
        "import numpy as np\nnp.load(file, allow_pickle=False)",
        "network.eval()",
        "import re\nre.compile(text)",
    ],
)
def test_what_is_safe_is_let_be(program: str) -> None:
    assert list(objections(program)) == []
