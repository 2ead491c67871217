"""Put faults into a copy of the code, one at a time, and count those that unit tests notice."""

import random
import sys
import time
from collections import Counter
from collections.abc import Sequence

from scripts.common.options import OptionParser
from scripts.common.paths import ROOT
from scripts.measure.mutants.equivalents import read_equivalents
from scripts.measure.mutants.mutations import Mutation, mutations_of, sample
from scripts.measure.mutants.targets import MODULES, find_modules, mirror_of, package_tests_of
from scripts.measure.mutants.trial import Outcome, Trial

# The least share of the faults that make a difference.
LEAST_NOTICED = 0.95


def mutants(line: Sequence[str]) -> None:
    """Count the faults that unit tests notice; exit with 1 if they are too few."""
    parser = OptionParser("mutants", "Count the faults that unit tests notice.")
    arguments = parser.take("build", "modules", "sample", "seed").parse_args(line)
    modules = find_modules(arguments.modules or MODULES)
    draw = random.Random(arguments.seed)
    sources = {module: (ROOT / module).read_text(encoding="utf-8") for module in modules}
    of_modules = [mutations_of(module, sources[module], draw) for module in modules]
    chosen = sample(of_modules, arguments.sample)
    listed = {(each.module, each.before, each.after) for each in read_equivalents()}
    print(f"{len(chosen)} of {sum(map(len, of_modules))} faults in {len(modules)} modules")
    build = arguments.build.resolve()
    trial = Trial(build / "mutants" / "tree", build)
    noticed, survivors, equivalent = Counter[str](), list[str](), Counter[str]()
    began = time.monotonic()
    for number, mutation in enumerate(chosen, 1):
        module = str(mutation.module)
        source = sources[mutation.module]
        before, after = mutation.changed(source)
        where = f"{module}:{mutation.line} {mutation.kind}: {before}  ->  {after}"
        if (module, before, after) in listed:
            equivalent[module] += 1
            word = "makes no difference"
        else:
            outcome = _outcome(trial, mutation, mutation.apply(source))
            word = outcome.value
            if outcome is Outcome.SURVIVED:
                survivors.append(where)
            else:
                noticed[module] += 1
        passed = time.monotonic() - began
        print(f"[{number}/{len(chosen)}, {passed:.0f} s] {word}: {where}", flush=True)
    _report(
        modules_of=Counter(str(each.module) for each in chosen),
        noticed=noticed,
        equivalent=equivalent,
        survivors=survivors,
    )


def _outcome(trial: Trial, mutation: Mutation, source: str) -> Outcome:
    """Run the tests of the module, and if they don't notice, those of its package."""
    try:
        compile(source, str(mutation.module), "exec")
    except SyntaxError:
        return Outcome.NOTICED
    outcome = trial.run(mutation.module, source, [mirror_of(mutation.module)])
    package = package_tests_of(mutation.module)
    if outcome is Outcome.SURVIVED and package:
        outcome = trial.run(mutation.module, source, [package])
    return outcome


def _report(
    *,
    modules_of: Counter[str],
    noticed: Counter[str],
    equivalent: Counter[str],
    survivors: list[str],
) -> None:
    print("\nmodule                                    faults  no difference  noticed")
    for module, count in sorted(modules_of.items()):
        print(f"{module:40} {count:7} {equivalent[module]:14} {noticed[module]:8}")
    meant = sum(modules_of.values()) - sum(equivalent.values())
    share = sum(noticed.values()) / max(1, meant)
    print(f"\nnoticed: {sum(noticed.values())} of {meant}, {share:.1%}")
    for each in survivors:
        print(f"survived: {each}")
    sys.exit(share < LEAST_NOTICED)
