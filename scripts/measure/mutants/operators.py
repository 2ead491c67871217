"""Faults that cosmic-ray does not make: what is not called or raised, swapped or misspelt.

An operator is a class as ``cosmic_ray.operators.operator.Operator``, on parso's trees.
"""

from collections.abc import Iterator
from typing import Any

from parso.python.tree import Keyword, Name

# What has no order of its arguments.
COMMUTATIVE = ("max", "min")

Span = tuple[tuple[int, int], tuple[int, int]]


class DropStatement:
    """Leave out a ``raise``, or a call whose result is not used."""

    def mutation_positions(self, node: Any) -> Iterator[Span]:
        """Yield where such a statement is, if this node is one."""
        if node.parent is None or node.parent.type != "simple_stmt":
            return
        is_call = node.type == "atom_expr" and node.get_last_leaf().value == ")"
        if is_call or node.get_first_leaf().value == "raise":
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, _: int) -> Any:
        """Return ``pass``, indented as the statement."""
        return Keyword("pass", node.start_pos, node.get_first_leaf().prefix)


class SwapArguments:
    """Swap the first two positional arguments of a call."""

    def mutation_positions(self, node: Any) -> Iterator[Span]:
        """Yield where the arguments are, if this node is a call's and the two differ."""
        if node.type == "arglist" and node.parent.type == "trailer":
            if node.parent.get_previous_leaf().value in COMMUTATIVE:
                return
            first, _, second, *_ = node.children
            named = "argument" in (first.type, second.type)
            if not named and first.get_code().strip() != second.get_code().strip():
                yield node.start_pos, node.end_pos

    def mutate(self, node: Any, _: int) -> Any:
        """Return the arguments in the other order."""
        node.children[0], node.children[2] = node.children[2], node.children[0]
        return node


class MisspellWord:
    """Misspell a string of one word, such as a key, a name or a marker; prose is left alone."""

    def mutation_positions(self, node: Any) -> Iterator[Span]:
        """Yield where the string is, if this node is one."""
        if node.type == "string" and node.parent.type not in ("simple_stmt", "strings"):
            text = node.value.strip("rbRB").strip("\"'")
            if text and not any(each.isspace() for each in text):
                yield node.start_pos, node.end_pos

    def mutate(self, node: Any, _: int) -> Any:
        """Return the string with another beginning."""
        quote = min(node.value.find(mark) for mark in "\"'" if mark in node.value)
        node.value = f"{node.value[: quote + 1]}x{node.value[quote + 1 :]}"
        return node


class ReplaceException:
    """Let an ``except`` catch another exception; cosmic-ray fails over names with dots."""

    def mutation_positions(self, node: Any) -> Iterator[Span]:
        """Yield where the exceptions are, if this node is such a clause."""
        if node.type == "except_clause":
            for each in self._caught(node):
                yield each.start_pos, each.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Return the clause with one that nothing raises."""
        caught = self._caught(node)[index]
        siblings = caught.parent.children
        prefix = caught.get_first_leaf().prefix
        siblings[siblings.index(caught)] = Name("StopAsyncIteration", caught.start_pos, prefix)
        return node

    @staticmethod
    def _caught(clause: Any) -> list[Any]:
        caught = clause.children[1]
        inner = caught.children[1] if caught.type == "atom" else caught
        return list(inner.children[::2]) if inner.type == "testlist_comp" else [inner]


OPERATORS = (DropStatement, SwapArguments, MisspellWord, ReplaceException)
