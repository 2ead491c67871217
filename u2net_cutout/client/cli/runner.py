"""Many pictures through one server: side by side, with progress, each failure told at the end."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import NoReturn

from tqdm import tqdm

from u2net_cutout.client.cli.sources import Job
from u2net_cutout.client.errors import ClientError, ServerUnusable, TryLater


@dataclass
class Tally:
    """What has become of the pictures."""

    done: set[Path] = field(default_factory=set)
    skipped: int = 0
    failures: dict[Path, str] = field(default_factory=dict)
    left: set[Path] = field(default_factory=set)
    """Not tried, or not to the end."""
    unusable: ServerUnusable | None = None
    """Why the rest was not tried."""
    interrupted: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether all that was asked for is there."""
        return not (self.failures or self.left or self.unusable)

    def report(self) -> str:
        """Return a line for each failure, and one of figures."""
        lines = [f"{picture}: {words}" for picture, words in self.failures.items()]
        if self.unusable:
            lines.append(str(self.unusable))
        figures = {
            "done": len(self.done),
            "skipped, done before": self.skipped,
            "failed": len(self.failures),
            "not tried": len(self.left),
        }
        told = [f"{count} {what}" for what, count in figures.items() if count]
        ending = "interrupted; the same command goes on from here: " if self.interrupted else ""
        return "\n".join([*lines, ending + (", ".join(told) or "no pictures")])


def run(
    jobs: Sequence[Job],
    work: Callable[[Job], None],
    stopping: Event,
    tally: Tally,
    *,
    threads: int = 1,
    progress: bool = False,
) -> None:
    """Do the work of each job, `threads` at a time, and enter what came of it into the tally.

    The first interrupt lets those in hand come to their end and starts no other; so does a server
    that is of no use. A second interrupt is raised.
    """

    def unless_stopped(job: Job) -> bool:
        if stopping.is_set():
            return False
        try:
            work(job)
        except ServerUnusable:
            stopping.set()
            raise
        return True

    # What tqdm is not told to show it hides by itself where stderr is no terminal.
    hidden = None if progress else True
    with tqdm(total=len(jobs), unit="picture", disable=hidden) as bar:
        pool = ThreadPoolExecutor(threads)
        pending: dict[Future[bool], Job] = {}
        try:
            try:
                for job in jobs:
                    pending[pool.submit(unless_stopped, job)] = job
                _enter_all(pending, stopping, tally, bar)
            except KeyboardInterrupt:
                stopping.set()
                tally.interrupted = True
                print("ending with the pictures in hand; once more to leave them", file=sys.stderr)
                _enter_all(pending, stopping, tally, bar)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    tally.left |= {job.source for job in jobs} - tally.done - tally.failures.keys()


def _enter_all(
    pending: "dict[Future[bool], Job]", stopping: Event, tally: Tally, bar: "tqdm[NoReturn]"
) -> None:
    """Enter futures into the tally as they come to their end, and take them out of `pending`."""
    for future in as_completed(list(pending)):
        picture = pending[future].source
        try:
            if future.result():
                tally.done.add(picture)
        except ServerUnusable as error:
            tally.unusable = error
        except (ClientError, OSError) as error:
            # Where patience was cut short, nothing is known of the picture.
            if not (isinstance(error, TryLater) and stopping.is_set()):
                tally.failures[picture] = str(error)
        except MemoryError:
            tally.failures[picture] = "memory does not suffice for it: fewer --jobs leave more"
        del pending[future]
        bar.update()
