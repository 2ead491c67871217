"""`make help`: examples, the targets by group, and the variables that they take."""

import re
from collections.abc import Iterator, Sequence

from scripts.common.options import OPTIONS, Option, parse, variable_of
from scripts.common.paths import ROOT

BEGINNING = """\
Usage: make TARGET [VARIABLE=value ...]

Examples
  make serve                                      start a server with u2net
  make cutout IMAGE=photo.jpg OUTPUT=cutout.png   remove the background of a picture
  make cutout IMAGE=photos OUTPUT=cutouts         ... of all pictures in a folder
  make cutout IMAGE=a.jpg OPTIONS="--edges refined --crop"
  make serve MODEL=u2netp PORT=9000               another model, on another port
  make rollout VERSION=1.1                        replace the served version without a gap
  make gateway                                    web page and remove.bg's API, with keys
  make stop                                       stop the server after the accepted requests\
"""
OF_MAKE = """
  Of make alone, no flags
    PYTHON        interpreter of .venv (default: python3)
    HASHES=1      install only files whose SHA-256 is in requirements.lock
    TESTS         arguments of pytest, for make test
    DOCS          documents to follow, for make follow-docs
    AUDIT         arguments of pip-audit
    BENCH_GPU     arguments of bench-gpu\
"""
GROUP = re.compile(r"##@ (.+)")
TARGET = re.compile(r"([a-z-]+):.*## (.+)")


def show(line: Sequence[str]) -> None:
    """Print the help."""
    parse("help", "Print the targets, examples and variables.", line)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    print("\n".join((BEGINNING, *_targets(makefile.splitlines()), "", *_variables())))


def _targets(lines: Sequence[str]) -> Iterator[str]:
    for each in lines:
        if found := GROUP.fullmatch(each):
            yield f"\n{found[1]}"
        elif found := TARGET.fullmatch(each):
            yield f"  {found[1]:17} {found[2]}"


def _variables() -> Iterator[str]:
    yield "Variables: make serve PORT=9000, or a flag: python -m scripts serve --port 9000"
    for group, options in OPTIONS.items():
        yield f"\n  {group}"
        for name, option in options.items():
            shown = f"{variable_of(name)}=1" if option.switch else variable_of(name)
            yield f"    {shown:13} {option.help}{_values(option)}"
    yield OF_MAKE


def _values(option: Option) -> str:
    """Return the choices of an option that its help does not name, and its default."""
    words = []
    if not all(choice in option.help for choice in option.choices):
        words.append(", ".join(option.choices))
    if not option.switch and option.default not in (None, ()):
        words.append(f"default: {option.default}")
    return f" ({'; '.join(words)})" if words else ""
