"""Faults that make no difference: looked at by a person, and listed with the reason."""

import tomllib
from collections.abc import Sequence
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
    reason: str
    after: str | None = None
    """None: whatever becomes of the line, as of a constant that only time and memory hang on."""

    def covers(self, module: str, before: str, after: str) -> bool:
        """Whether a change is this one."""
        return (module, before) == (self.module, self.before) and self.after in (None, after)


def read_equivalents(file: Path = LIST) -> list[Equivalent]:
    """Return the list: a TOML file with an array of tables for each module.

    Raises:
        BenchError: an entry is of a line that is not there any more.
    """
    listed = tomllib.loads(file.read_text(encoding="utf-8"))
    equivalents = [
        Equivalent(module, entry["before"], entry["reason"], after)
        for module, entries in listed.items()
        for entry in entries
        for after in _each(entry.get("after"))
    ]
    for each in equivalents:
        lines = (ROOT / each.module).read_text(encoding="utf-8").splitlines()
        if each.before not in " ".join(line.strip() for line in lines):
            raise BenchError(f"{file.name}: {each.module} has no line {each.before!r}")
    return equivalents


def _each(after: str | list[str] | None) -> Sequence[str | None]:
    return after if isinstance(after, list) else [after]
