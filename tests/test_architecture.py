"""Which module may know which: what the modules' own first lines promise."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HANDLER = sorted((ROOT / "handler").glob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))
ARCHIVED = [*HANDLER, ROOT / "preprocessing.py"]
ENTRY_POINT = ROOT / "handler" / "u2net_handler.py"

LOCAL = {path.stem for path in (*ARCHIVED, *SCRIPTS)}


def by_name(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    """Return the first part of each imported module's name; a relative import's is empty."""
    names: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("" if node.level else (node.module or "").partition(".")[0])
    return names


@by_name([path for path in (*ARCHIVED, *SCRIPTS) if path != ENTRY_POINT])
def test_only_the_entry_point_knows_torchserve(path: Path) -> None:
    assert "ts" not in imports(path)


@by_name(ARCHIVED)
def test_nothing_in_the_archive_imports_the_entry_point(path: Path) -> None:
    assert "u2net_handler" not in imports(path)


def test_of_the_scripts_only_the_comparison_imports_the_entry_point() -> None:
    importers = [path.stem for path in SCRIPTS if "u2net_handler" in imports(path)]

    assert importers == ["tolist_handler"]


@by_name(ARCHIVED)
def test_the_archive_does_not_import_scripts(path: Path) -> None:
    assert not imports(path) & {"scripts", *(script.stem for script in SCRIPTS)}


@by_name(ARCHIVED)
def test_imports_are_flat_as_in_the_archive(path: Path) -> None:
    assert not imports(path) & {"", "handler"}


@pytest.mark.parametrize(
    ("module", "known"),
    [
        ("cutout_errors", set()),
        ("cutout_limits", set()),
        ("stage_timing", set()),
        ("cpu_allocation", set()),
        ("worker_memory", set()),
        ("skipped_imports", set()),
        ("hold_point", set()),
        ("kserve_protocol", {"cutout_answer", "cutout_errors", "cutout_request"}),
        ("content_negotiation", set()),
        ("model_metadata", set()),
        ("rsu", {"torch"}),
        ("sample_request", {"torch", "PIL", "saliency_network"}),
        ("saliency_network", {"torch", "rsu"}),
        ("execution", set()),
        ("runtime_errors", set()),
        ("torch_runtime", {"torch", "execution", "runtime_errors", "saliency_network"}),
        ("openvino_runtime", {"openvino", "torch", "execution", "runtime_errors"}),
        ("ncnn_runtime", {"ncnn", "numpy", "torch", "execution", "runtime_errors"}),
        (
            "saliency_runtime",
            {
                "torch",
                "execution",
                "model_metadata",
                "ncnn_runtime",
                "openvino_runtime",
                "runtime_errors",
                "saliency_network",
                "torch_runtime",
            },
        ),
        ("matting", {"numpy", "torch", "PIL"}),
        ("uncertainty", {"torch", "PIL"}),
        ("composition", {"PIL"}),
        ("png_encoding", {"PIL", "isal", "numpy", "composition", "file_structure"}),
        ("output_format", set()),
        ("image_encoding", {"PIL", "composition", "output_format", "png_encoding"}),
        ("option_values", {"PIL", "output_format"}),
        ("cutout_options", {"cutout_errors", "option_values", "output_format"}),
        ("placement", {"PIL", "cutout_options", "option_values"}),
        (
            "cutout_rendering",
            {
                "PIL",
                "torch",
                "composition",
                "cutout_errors",
                "cutout_options",
                "foreground_colour",
                "matte_refinement",
                "matting",
                "photo",
                "placement",
            },
        ),
        ("bit_depth", {"PIL"}),
        ("colour_management", {"PIL", "numpy"}),
        ("colour_declaration", {"PIL", "numpy", "file_structure"}),
        ("file_structure", {"cutout_errors"}),
        ("memory_budget", set()),
        ("picture_limits", {"PIL", "cutout_errors", "cutout_limits"}),
        (
            "image_decoding",
            {
                "PIL",
                "pillow_heif",
                "bit_depth",
                "colour_declaration",
                "colour_management",
                "cutout_errors",
                "cutout_limits",
                "file_structure",
                "memory_budget",
                "picture_limits",
            },
        ),
        (
            "cutout_request",
            {
                "content_negotiation",
                "cutout_errors",
                "cutout_limits",
                "cutout_options",
                "output_format",
            },
        ),
        (
            "cutout_answer",
            {
                "PIL",
                "cutout_errors",
                "cutout_request",
                "image_encoding",
                "output_format",
                "placement",
            },
        ),
        (
            "photo",
            {
                "PIL",
                "cutout_answer",
                "cutout_errors",
                "cutout_limits",
                "cutout_options",
                "cutout_request",
                "image_decoding",
                "output_format",
                "placement",
                "stage_timing",
            },
        ),
        ("network_input", {"PIL", "numpy", "torch", "preprocessing", "saliency_network"}),
        (
            "device_jpeg",
            {
                "PIL",
                "numpy",
                "torch",
                "torchvision",
                "colour_declaration",
                "image_decoding",
                "runtime_errors",
            },
        ),
        ("request_log", set()),
        ("request_batch", {"cutout_errors", "request_log"}),
        (
            "request_report",
            {"cutout_answer", "cutout_errors", "photo", "request_log", "stage_timing"},
        ),
        ("serving_metrics", {"request_report"}),
    ],
)
def test_a_module_knows_only_what_it_says(module: str, known: set[str]) -> None:
    found = imports(ROOT / "handler" / f"{module}.py")

    assert found - sys.stdlib_module_names <= known


def test_the_clients_wheel_has_what_the_client_imports_and_nothing_else() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    missing = [path for path in SCRIPTS if path.parent.name == "u2net_cutout"]
    needed: set[str] = set()
    libraries: set[str] = set()
    while missing:
        found = imports(missing.pop()) - sys.stdlib_module_names - {"u2net_cutout"}
        libraries |= found - LOCAL
        missing += [ROOT / "handler" / f"{name}.py" for name in (found & LOCAL) - needed]
        needed |= found & LOCAL

    assert needed == set(settings["tool"]["setuptools"]["py-modules"])
    assert libraries == {
        *("PIL", "isal", "numpy", "pillow_heif", "requests", "tenacity", "tqdm", "urllib3")
    }


def test_preprocessing_knows_pictures_and_tensors_only() -> None:
    found = imports(ROOT / "preprocessing.py")

    assert found - sys.stdlib_module_names <= {"numpy", "torch", "PIL"}


def test_the_entry_point_defines_exactly_one_class() -> None:
    classes = [node for node in ast.walk(tree_of(ENTRY_POINT)) if isinstance(node, ast.ClassDef)]

    assert [node.name for node in classes] == ["U2Net"]


def test_the_entry_point_has_no_function_that_torchserve_would_take_for_it() -> None:
    functions = [node for node in tree_of(ENTRY_POINT).body if isinstance(node, ast.FunctionDef)]

    assert "handle" not in {function.name for function in functions}


def test_no_module_hides_one_of_the_standard_library() -> None:
    assert not LOCAL & sys.stdlib_module_names


def test_no_two_modules_share_a_name() -> None:
    names = [path.stem for path in (*ARCHIVED, *SCRIPTS)]

    assert sorted(names) == sorted(LOCAL)
