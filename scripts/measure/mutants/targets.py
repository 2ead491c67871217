"""Which modules are mutated, and which unit tests are to notice it."""

from pathlib import Path

from scripts.common.paths import ROOT
from scripts.measure.kit.errors import BenchError

# A request's whole way, draining, and the check of an archive.
MODULES = (
    "u2net_cutout/network/preprocessing.py",
    "u2net_cutout/contract/*.py",
    "u2net_cutout/imaging/*.py",
    "u2net_cutout/matting/*.py",
    "u2net_cutout/pipeline/*.py",
    "u2net_cutout/worker/batch.py",
    "scripts/lifecycle/drain.py",
    "scripts/archive/record.py",
    "scripts/archive/verify.py",
)


def find_modules(patterns: tuple[str, ...]) -> list[Path]:
    """Return the modules that patterns name, relative to the repository.

    Raises:
        BenchError: a pattern names none, or a module has no test file of its own.
    """
    found: list[Path] = []
    for pattern in patterns:
        modules = sorted(each.relative_to(ROOT) for each in ROOT.glob(pattern))
        modules = [each for each in modules if each.suffix == ".py" and each.stem != "__init__"]
        if not modules:
            raise BenchError(f"MODULES={pattern}: no such module")
        found += [each for each in modules if each not in found]
    for module in found:
        if not (ROOT / mirror_of(module)).exists():
            raise BenchError(f"{module} has no {mirror_of(module)}")
    return found


def mirror_of(module: Path) -> Path:
    """Return the test file of a module: tests/ mirrors the packages."""
    return Path("tests") / module.parent / f"test_{module.name}"


def package_tests_of(module: Path) -> Path | None:
    """Return the folder of the tests of a module's package; None for a module in none."""
    return mirror_of(module).parent if module.parent.parts else None
