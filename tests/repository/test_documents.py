"""The documents: their links lead somewhere, their commands exist and can be read by bash."""

import re
import subprocess
from pathlib import Path

import pytest

from scripts.documents.blocks import blocks, documents
from tests.conftest import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))

LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
# `make serve`, and `make status`, `logs`, as tables have them; in blocks, at a command's beginning.
COMMAND = re.compile(r"(?:`|^|\$\(|[;&|] )make ((?:-\w+ (?:/\S+ )?)*)([a-z][a-z-]*)", re.MULTILINE)
SCRIPT = re.compile(
    r"(?<![\w/.-])((?:scripts|deploy|tests|handler|u2net_cutout|docs|\.ci)/[\w./-]*\w)(?![\w<*])"
)

PLACEHOLDER = re.compile(r"@[A-Z_]+@|\b(FIGURES|FUZZ|TODO|TBD)\b(?!=)")

by_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def anchors(document: Path) -> set[str]:
    """What headings are called in links, as GitHub makes it."""
    text = FENCED.sub("", document.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@by_document
def test_links_lead_to_files_and_headings(document: Path) -> None:
    text = FENCED.sub("", document.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if ":" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_the_readme_leads_to_every_document() -> None:
    assert {ROOT / each for each in documents(ROOT)} == set(DOCUMENTS)


@by_document
def test_each_command_of_make_exists(document: Path) -> None:
    found = {target for _, target in COMMAND.findall(document.read_text(encoding="utf-8"))}

    assert found <= TARGETS


@by_document
def test_each_path_of_the_repository_exists(document: Path) -> None:
    found = set(SCRIPT.findall(document.read_text(encoding="utf-8")))

    assert [path for path in found if not (ROOT / path).exists()] == []


@by_document
def test_each_test_file_that_is_named_exists(document: Path) -> None:
    found = set(re.findall(r"\b(test_\w+\.py)", document.read_text(encoding="utf-8")))

    assert [name for name in found if not list((ROOT / "tests").rglob(name))] == []


@by_document
def test_bash_can_read_each_block(document: Path) -> None:
    for block in blocks(document.read_text(encoding="utf-8")):
        done = subprocess.run(
            ["bash", "-n", "-c", block.script], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{document.name}:{block.line}: {done.stderr}"


@by_document
def test_each_block_says_what_it_is(document: Path) -> None:
    """A block that runs is sh or python; one that does not is not called so by accident."""
    fences = re.findall(r"^```(\w*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    kinds = set(fences[::2]) | {kind for kind in fences if kind}

    assert kinds <= {"sh", "python", "text", "console", "json", "promql", ""}


def test_the_architecture_names_each_package_and_each_module_of_the_pipeline() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = {f"{path.parent.relative_to(ROOT)}" for path in _packages()}
    modules = {path.stem for path in (ROOT / "u2net_cutout" / "pipeline").glob("[a-z]*.py")}

    assert {name for name in packages if f"{name}/" not in text} == set()
    assert {name for name in modules if not re.search(rf"\b{name}\b", text)} == set()


def _packages() -> list[Path]:
    return [
        *(ROOT / "u2net_cutout").glob("*/__init__.py"),
        *(ROOT / "scripts").glob("*/__init__.py"),
    ]


def test_a_block_knows_its_line() -> None:
    (first, second) = blocks("a\n```sh\nmake\n```\n```text\nno\n```\n```python\nx\n```\n")

    assert (first.language, first.text, first.line) == ("sh", "make\n", 3)
    assert (second.line, "x\nEND_OF_PYTHON" in second.script) == (9, True)


@by_document
def test_no_document_waits_for_its_figures(document: Path) -> None:
    assert not PLACEHOLDER.search(document.read_text(encoding="utf-8"))


def test_each_message_of_the_readme_is_one_of_the_programs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, section = text.partition("## Troubleshooting")
    # Others' messages are followed by the name of the program that prints them.
    messages = re.findall(r"^\| `([^`]+)` \|", section.partition("\n## ")[0], re.MULTILINE)
    sources = [MAKEFILE, *(path.read_text(encoding="utf-8") for path in _sources())]
    # A literal that goes on in the next line is one.
    printed = "\n".join(re.sub(r'"\n\s*f?"', "", source) for source in sources)
    parts = [part.strip(" ,") for message in messages for part in message.split("...")]

    assert len(messages) >= 5
    assert [part for part in parts if part not in printed] == []


def _sources() -> list[Path]:
    return [path for root in ("scripts", "u2net_cutout") for path in (ROOT / root).rglob("*.py")]
