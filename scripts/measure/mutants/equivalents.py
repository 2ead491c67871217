"""Faults that make no difference: looked at by a person, and listed with the reason."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from scripts.common.paths import ROOT
from scripts.measure.kit.errors import BenchError

LIST = Path(__file__).with_name("equivalents.toml")


@dataclass(frozen=True)
class Equivalent:
    """A change of a line, or of some, that no test can notice."""

    module: str
    before: str
    after: str
    reason: str


def read_equivalents() -> list[Equivalent]:
    """Return the list.

    Raises:
        BenchError: an entry is of a line that is not there any more.
    """
    listed = tomllib.loads(LIST.read_text(encoding="utf-8"))
    equivalents = [
        Equivalent(module, **entry) for module, entries in listed.items() for entry in entries
    ]
    for each in equivalents:
        source = (ROOT / each.module).read_text(encoding="utf-8")
        if each.before not in " ".join(line.strip() for line in source.splitlines()):
            raise BenchError(f"{LIST.name}: {each.module} has no line {each.before!r}")
    return equivalents
