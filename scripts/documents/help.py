"""`make help`: the targets by group, examples, and the variables that they take."""

import re
from collections.abc import Iterator, Sequence

from scripts.common.options import OPTIONS, Option, parse, variable_of
from scripts.common.paths import ROOT

EXAMPLES = """\
Examples
  make serve                          start a server with u2net
  make cutout IMAGE=photo.jpg         write its cutout to cutout.png
  make serve MODEL=u2netp PORT=9000   another model, on another port
  make rollout VERSION=1.1            replace the served version without a gap
  make stop                           stop when every accepted request is answered
"""
GROUP = re.compile(r"##@ (.+)")
TARGET = re.compile(r"([a-z-]+):.*## (.+)")


def show(line: Sequence[str]) -> None:
    """Print the help."""
    parse("help", "Print the targets, examples and variables.", line)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    print("\n".join((*_targets(makefile.splitlines()), "", EXAMPLES, *_variables())))


def _targets(lines: Sequence[str]) -> Iterator[str]:
    for each in lines:
        if found := GROUP.fullmatch(each):
            yield f"\n{found[1]}"
        elif found := TARGET.fullmatch(each):
            yield f"  {found[1]:17} {found[2]}"


def _variables() -> Iterator[str]:
    yield "Variables, as in make serve PORT=9000; python -m scripts takes them as flags (--port)"
    for group, options in OPTIONS.items():
        yield f"\n  {group}"
        for name, option in options.items():
            yield f"    {variable_of(name):13} {option.help}{_default(option)}"


def _default(option: Option) -> str:
    if option.switch or option.default in (None, ()):
        return ""
    return f" ({option.default})"
