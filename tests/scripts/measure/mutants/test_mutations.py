"""Which faults are made of some lines of code."""

import ast
import random
from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray", reason="pip install cosmic-ray, as make mutants does")

from scripts.measure.mutants.mutations import Mutation, mutations_of, sample

CODE = '''
"""A docstring, and not a word."""


def halve(number: int | None, kind: str = "even") -> int | None:
    if number is None or number < 0:
        raise ValueError("a sentence about it")
    check(number, kind)
    return max(number, 0) // 2
'''


def faults(code: str = CODE, seed: int = 0) -> list[Mutation]:
    return mutations_of(Path("module.py"), code, random.Random(seed))


def changes(code: str, kind: str) -> set[str]:
    """The lines after a kind of fault, without what is of no account between words."""
    made = [each for each in faults(code) if each.kind == kind]
    return {" ".join(each.changed(code)[1].split()) for each in made}


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("DropStatement", {"pass"}),
        ("MisspellWord", {'def halve(number: int | None, kind: str = "xeven") -> int | None:'}),
        ("ReplaceOrWithAnd", {"if number is None and number < 0:"}),
        ("AddNot", {"if not number is None or number < 0:"}),
    ],
)
def test_a_kind_makes_these_faults(kind: str, lines: set[str]) -> None:
    assert changes(CODE, kind) == lines


def test_arguments_are_swapped_where_their_order_counts() -> None:
    assert changes(CODE, "SwapArguments") == {"check( kind,number)"}


def test_each_exception_that_is_caught_is_another_once() -> None:
    code = "try:\n    check()\nexcept {}:\n    pass\n"

    for caught, other in (
        ("OSError", {"StopAsyncIteration"}),
        ("socket.timeout as error", {"StopAsyncIteration as error"}),
        (
            "(OSError, a.b.Error)",
            {"(StopAsyncIteration, a.b.Error)", "(OSError, StopAsyncIteration)"},
        ),
    ):
        made = changes(code.format(caught), "ReplaceException")
        assert made == {f"except {each}:" for each in other}


def test_a_raise_and_a_call_are_left_out_and_leave_code_that_can_be_read() -> None:
    for fault in faults():
        ast.parse(fault.apply(CODE))
    dropped = [each for each in faults() if each.kind == "DropStatement"]
    assert sorted(each.line for each in dropped) == [7, 8]


def test_annotations_and_prose_are_left_alone() -> None:
    for fault in faults():
        before, after = fault.changed(CODE)
        assert "sentence" not in before or fault.kind == "DropStatement"
        assert "int | None" in after or "int | None" not in before


def test_one_of_each_kind_is_made_at_each_place_drawn_by_the_seed() -> None:
    code = "a = b < c"
    drawn = {faults(code, seed)[0].changed(code)[1] for seed in range(30)}

    assert len(faults(code)) == 1
    assert {"a = b <= c", "a = b == c"} <= drawn
    assert not [each for each in drawn if " is " in each]
    assert faults(code, 3)[0].changed(code) == faults(code, 3)[0].changed(code)


def test_a_sample_is_spread_over_all_modules() -> None:
    few, many = faults("a = 1"), faults("a = [" + "1, " * 50 + "]")

    taken = sample([few, many], 11)

    assert len(taken) == 11
    assert len([each for each in taken if each in few]) == 1
    assert len(sample([few, many], 1000)) == 51
