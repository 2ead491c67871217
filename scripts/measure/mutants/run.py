"""Put faults into a copy of the code, one at a time, and count those that unit tests notice."""

from __future__ import annotations

import ast
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.common.options import parse
from scripts.common.paths import ROOT
from scripts.measure.kit.errors import BenchError
from scripts.measure.mutants.equivalents import read_equivalents
from scripts.measure.mutants.tally import Outcome, Tally
from scripts.measure.mutants.targets import MODULES, find_modules, mirror_of, package_tests_of
from scripts.measure.mutants.trial import Trial

if TYPE_CHECKING:
    from scripts.measure.mutants.mutations import Mutation

# The least share of the faults that make a difference.
LEAST_NOTICED = 0.95


def mutants(line: Sequence[str]) -> None:
    """Count the faults that unit tests notice; exit with 1 if they are too few."""
    arguments = parse(
        "mutants",
        "Count the faults that unit tests notice.",
        line,
        *("build", "modules", "sample", "seed"),
    )
    modules = find_modules(arguments.modules or MODULES)
    sources = {module: (ROOT / module).read_text(encoding="utf-8") for module in modules}
    chosen = _drawn(sources, arguments.sample, arguments.seed)
    listed = read_equivalents()
    build = arguments.build.resolve()
    trial, tally = Trial(build / "mutants" / "tree", build), Tally()
    began = time.monotonic()
    for number, mutation in enumerate(chosen, 1):
        module, source = str(mutation.module), sources[mutation.module]
        change = mutation.changed(source)
        if any(each.covers(module, *change) for each in listed):
            outcome = Outcome.EQUIVALENT
        else:
            outcome = _outcome(trial, mutation.module, mutation.apply(source))
        described = f"{module}:{mutation.line} {mutation.kind}: {change[0]}  ->  {change[1]}"
        tally.count(module, outcome, described)
        passed = time.monotonic() - began
        print(f"[{number}/{len(chosen)}, {passed:.0f} s] {outcome.value}: {described}", flush=True)
    print(f"\n{tally.table()}")
    sys.exit(tally.share < LEAST_NOTICED)


def _drawn(sources: dict[Path, str], size: int, seed: int) -> list[Mutation]:
    # Not above: only `make mutants` installs what this needs.
    try:
        from scripts.measure.mutants.mutations import mutations_of, sample
    except ModuleNotFoundError as error:
        raise BenchError(f"{error.name} is not installed: make mutants installs it") from error
    draw = random.Random(seed)
    of_modules = [mutations_of(module, source, draw) for module, source in sources.items()]
    chosen = sample(of_modules, size)
    print(f"{len(chosen)} of {sum(map(len, of_modules))} faults in {len(sources)} modules")
    return chosen


def _outcome(trial: Trial, module: Path, source: str) -> Outcome:
    """Run the tests of the module, and if they don't notice, those of its package."""
    try:
        ast.parse(source)
    except SyntaxError:
        return Outcome.NOTICED
    outcome = trial.run(module, source, [mirror_of(module)])
    package = package_tests_of(module)
    if outcome is Outcome.SURVIVED and package:
        outcome = trial.run(module, source, [package])
    return outcome
