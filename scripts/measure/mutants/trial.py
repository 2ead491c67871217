"""Runs unit tests on a copy of the repository into which a fault was put."""

import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.documents.clone import copy_repository, share
from scripts.measure.kit.errors import BenchError
from scripts.measure.mutants.tally import Outcome

# Imported once for all runs, which take seconds; nothing of the repository is.
PRELOADED = ["numpy", "PIL.Image", "pytest", "requests", "skimage", "torch"]
OWN = ("handler", "preprocessing", "scripts", "tests", "u2net_cutout", "u2net_handler")
# Without a fault they may take so long, and no longer.
LONGEST_S = 900


@dataclass
class Trial:
    """A copy of the repository, and the tests that run in it."""

    tree: Path
    build: Path
    time_factor: float = 4
    """How many times as long as without a fault tests may take: the machine may have other work."""
    least_s: float = 20
    """How long they may take beside that."""

    def __post_init__(self) -> None:
        shutil.rmtree(self.tree, ignore_errors=True)
        copy_repository(self.tree)
        share(self.tree, self.build)
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(PRELOADED)
        self._limits_s: dict[tuple[Path, ...], float] = {}

    def run(self, module: Path, source: str, tests: Iterable[Path]) -> Outcome:
        """Run tests with another source of a module.

        Raises:
            BenchError: they fail without a fault.
        """
        files = tuple(tests)
        if files not in self._limits_s:
            began = time.monotonic()
            if self._run(files, LONGEST_S) is not Outcome.SURVIVED:
                raise BenchError(f"tests fail without a fault, see {self.log}")
            self._limits_s[files] = self.least_s + self.time_factor * (time.monotonic() - began)
        file = self.tree / module
        sound = file.read_text(encoding="utf-8")
        file.write_text(source, encoding="utf-8")
        try:
            return self._run(files, self._limits_s[files])
        finally:
            file.write_text(sound, encoding="utf-8")

    @property
    def log(self) -> Path:
        """What the last run printed."""
        return self.tree.with_suffix(".log")

    def _run(self, files: tuple[Path, ...], limit_s: float) -> Outcome:
        process = self._processes.Process(
            target=_run_tests, args=(self.tree, self.build, self.log, [str(f) for f in files])
        )
        process.start()
        try:
            process.join(limit_s)
            if process.exitcode is None:
                return Outcome.OVERDUE
            return Outcome.NOTICED if process.exitcode else Outcome.SURVIVED
        finally:
            # What the tests have started, and themselves.
            _kill_group(process.pid or 0)
            process.join()


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _run_tests(tree: Path, build: Path, log: Path, files: list[str]) -> None:
    """Run tests in a process, and a group, of its own, which ends with pytest's status."""
    os.setsid()
    with log.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(tree)
    # Weights and networks are the repository's own. Bytecode could be that of another fault.
    os.environ |= {"BUILD": str(build), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    for name in [each for each in sys.modules if each.partition(".")[0] in OWN]:
        del sys.modules[name]
    status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", f"--rootdir={tree}", *files])
    sys.stdout.flush()
    # Threads that a fault has left behind must not hold it up.
    os._exit(status)
