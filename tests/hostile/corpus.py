"""All inputs of the battery, in a fixed order, each made when it is needed.

First the named inputs, then sound files cut short everywhere, then random damage. The same seed,
count and position always give the same input, but for the creation times in some files, so that a
run can be continued and a failure repeated.
"""

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import TypeVar

from tests.hostile.files.bombs import animations, bombs
from tests.hostile.files.malformed import malformed_files
from tests.hostile.files.mutations import broken, cuts
from tests.hostile.files.samples import samples
from tests.hostile.files.wrong_headers import wrong_headers
from tests.hostile.rows.malformed import Row, malformed_rows, shaped, with_background
from tests.hostile.rows.random_rows import random_row

T = TypeVar("T")

# From so many inputs on, all named ones are included, and those that take seconds to make.
FULL = 50_000
FULL_FRAMES, FEW_FRAMES = 10_000, 300
# The share of random inputs with a broken file; the rest have malformed options, JSON or headers.
BROKEN_FILES = 0.7
BACKGROUNDS = 0.1


class Corpus:
    """`count` inputs; below ``FULL`` all the quick bombs, and some of every other kind."""

    def __init__(self, seed: int, count: int) -> None:
        full = count >= FULL
        files = bombs(full=full) | animations(frames=FULL_FRAMES if full else FEW_FRAMES)
        named: list[tuple[str, Callable[[], Row]]] = []
        named += [(name, partial(_body_of, make)) for name, make in files.items()]
        rows = list(malformed_rows(samples()["png"]))
        named += [(name, partial(_itself, row)) for name, row in _some(rows, count // 8)]
        whole = [*malformed_files(), *wrong_headers()]
        named += [(name, partial(_body, data)) for name, data in _some(whole, count // 4)]
        ends = [(name, data, end) for name, data in samples().items() for end in cuts(data)]
        named += [
            (f"{name} cut at {end}", partial(_body, data[:end]))
            for name, data, end in _some(ends, count // 4)
        ]
        self.seed, self.count = seed, count
        self._named = named

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, position: int) -> tuple[str, Row]:
        """Return the name of an input, and the input."""
        if position < len(self._named):
            name, make = self._named[position]
            return name, make()
        return _by_chance(Random(f"{self.seed}:{position}"))


def _by_chance(rng: Random) -> tuple[str, Row]:
    files = samples()
    name = rng.choice(list(files))
    if rng.random() > BROKEN_FILES:
        return "malformed options", random_row(rng, files["png"])
    data = broken(rng, files[name], list(files.values()))
    if rng.random() < BACKGROUNDS:
        return f"broken {name} as background", with_background(files["png"], data)
    return f"broken {name}", shaped(rng, data)


def _some(everything: Sequence[T], most: int) -> Sequence[T]:
    """Return no more than so many of a sequence, from all over it."""
    return everything[:: max(-(-len(everything) // max(most, 1)), 1)]


def _body_of(make: Callable[[], bytes]) -> Row:
    return _body(make())


def _body(data: bytes) -> Row:
    return Row({"body": bytearray(data)})


def _itself(row: Row) -> Row:
    return row
