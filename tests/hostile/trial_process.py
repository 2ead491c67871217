"""Tries inputs in a process of its own, which may crash or hang without ending the run."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.hostile.corpus import Corpus
from tests.hostile.trial import Outcome, attempt
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import register_heif, share_threads

CRASHED, HUNG = "crashed", "hung"


@dataclass(frozen=True)
class Trials:
    """The inputs, and how long one may take."""

    seed: int
    count: int
    first: int
    limits: Limits
    packages: Path | None
    """The folder of pillow-heif, if the environment has none."""
    timeout_s: float = 60

    def outcomes(self) -> Iterator[Outcome]:
        """Yield the outcome of each input, in order; after a crash a new process continues."""
        position = self.first
        while position < self.count:
            for outcome in self._until_a_crash(position):
                yield outcome
                position = outcome.position + 1

    def _until_a_crash(self, first: int) -> Iterator[Outcome]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_try, args=(self, first, theirs), daemon=True)
        process.start()
        theirs.close()
        position, name = first, "the first"
        try:
            while True:
                if not ours.poll(self.timeout_s):
                    yield Outcome(position, name, HUNG, self.timeout_s, 0, HUNG)
                    return
                message = ours.recv()
                if message is None:
                    return
                if isinstance(message, Outcome):
                    yield message
                    position = message.position + 1
                else:
                    position, name = message
        except EOFError:
            process.join()
            code = process.exitcode or 0
            how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            yield Outcome(position, name, CRASHED, 0, 0, f"{CRASHED}: {how}")
        finally:
            process.kill()
            process.join()


def _try(trials: Trials, first: int, pipe: Connection) -> None:
    if trials.packages:
        sys.path.insert(0, str(trials.packages))
    # libtiff and libjpeg write warnings there; outcomes go through the pipe.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    register_heif()
    share_threads(1)
    corpus = Corpus(trials.seed, trials.count)
    for position in range(first, trials.count):
        name, row = corpus[position]
        pipe.send((position, name))
        pipe.send(attempt(position, name, row, trials.limits))
    pipe.send(None)
