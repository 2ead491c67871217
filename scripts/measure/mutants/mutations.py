"""Every fault that could be put into a module, by the operators of cosmic-ray and our own."""

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

from scripts.measure.mutants.operators import OPERATORS

# `x == None` is what `x is None` is, and `1 is 1` a warning; of exceptions there is our own.
NEEDLESS = ("_Is", "_IsNot", "_Is_Eq", "_IsNot_NotEq", "ExceptionReplacer")


@dataclass(frozen=True)
class Mutation:
    """One fault in one line of a module."""

    module: Path
    line: int
    operator: Any
    occurrence: int

    @property
    def kind(self) -> str:
        """What is done: the operator's name, without what it replaces by what."""
        return kind_of(type(self.operator).__name__)

    def apply(self, source: str) -> str:
        """Return the module's source with the fault."""
        return str(mutate_code(source, self.operator, self.occurrence))

    def changed(self, source: str) -> tuple[str, str]:
        """Return the changed lines before and after, each in one line."""
        pair = source.splitlines(), self.apply(source).splitlines()
        lines = [line for line in ndiff(*pair) if line[0] in "-+"]
        before, after = (
            " ".join(line[2:].strip() for line in lines if line[0] == mark) for mark in "-+"
        )
        return before, after


def kind_of(name: str) -> str:
    """Return an operator's kind: ``ReplaceBinaryOperator`` of ``ReplaceBinaryOperator_Add_Sub``."""
    return name.partition("_")[0]


def mutations_of(module: Path, source: str, draw: random.Random) -> list[Mutation]:
    """Return the faults of a module in random order, one of each kind at each place.

    Where a kind could do several things, as replace ``+`` by ``-`` or by ``*``, one is drawn.
    Annotations and decorators are left alone.
    """
    untouched = list(_untouched(source))
    tree = get_ast(source)
    places: dict[tuple[object, str], list[Mutation]] = {}
    for operator in _operators():
        spans = (span for node in ast_nodes(tree) for span in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(spans):
            if not any(first <= start and end <= last for first, last in untouched):
                found = Mutation(module, start[0], operator, occurrence)
                places.setdefault(((start, end), found.kind), []).append(found)
    chosen = [draw.choice(variants) for _, variants in sorted(places.items())]
    draw.shuffle(chosen)
    return chosen


def sample(of_modules: list[list[Mutation]], size: int) -> list[Mutation]:
    """Take `size` of the faults of several modules, of each module about the same share."""
    spread = [
        (place / len(mutations), mutation)
        for mutations in of_modules
        for place, mutation in enumerate(mutations)
    ]
    taken = sorted(spread, key=lambda each: each[0])[:size]
    return sorted((mutation for _, mutation in taken), key=lambda each: (each.module, each.line))


def _operators() -> Iterator[Any]:
    for name in sorted(operator_names()):
        operator = get_operator(name)
        # Those with arguments need to know names.
        if not operator.arguments() and (
            not name.endswith(NEEDLESS) or name.endswith(("_Is_IsNot", "_IsNot_Is"))
        ):
            yield operator()
    for own in OPERATORS:
        yield own()


def _untouched(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield where annotations and decorators are, from line and column to line and column.

    A dataclass that is not frozen, or a property that is none, is noticed by mypy or by everything.
    """
    for node in ast.walk(ast.parse(source)):
        annotations = getattr(node, "annotation", None), getattr(node, "returns", None)
        for each in (*annotations, *getattr(node, "decorator_list", ())):
            if each is not None:
                yield (each.lineno, each.col_offset), (each.end_lineno, each.end_col_offset)
