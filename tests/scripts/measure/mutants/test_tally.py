from scripts.measure.mutants.tally import Outcome, Tally


def test_the_share_is_of_those_that_make_a_difference() -> None:
    tally = Tally()
    for outcome in [Outcome.NOTICED] * 2 + [Outcome.OVERDUE, Outcome.SURVIVED, Outcome.EQUIVALENT]:
        tally.count("a.py", outcome, "a.py:1 x -> y")

    assert tally.share == 0.75
    assert tally.table().splitlines()[1].split() == ["a.py", "3", "1", "1"]
    assert tally.table().splitlines()[-2:] == [
        "survived: a.py:1 x -> y",
        "noticed: 75.0% of those that make a difference",
    ]


def test_without_any_nothing_is_missed() -> None:
    assert Tally().share == 1
