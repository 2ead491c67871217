"""Many pictures through one server: concurrently, with progress, and a report of failures."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event
from time import monotonic
from typing import NoReturn

from tqdm import tqdm

from u2net_cutout.cli.interrupts import LONGEST_WAIT_S
from u2net_cutout.cli.messages import print_message
from u2net_cutout.cli.sources import Job
from u2net_cutout.client.errors import ClientError, ServerUnusable, TryLater, printable

# After an interrupt; a picture takes about a second, and service managers wait ten or more.
GRACE_S = 5.0


@dataclass
class Tally:
    """The outcome of a run."""

    done: set[Path] = field(default_factory=set)
    skipped: int = 0
    failures: dict[Path, str] = field(default_factory=dict)
    left: set[Path] = field(default_factory=set)
    """Not tried, or given up before the end."""
    unusable: ServerUnusable | None = None
    """Why the rest was not tried."""
    interrupted: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether every picture has its cutout."""
        return not (self.failures or self.left or self.unusable)

    def report(self) -> str:
        """Return a line for each failure, and one of counts."""
        lines = [
            f"{printable(str(picture))}: {printable(reason)}"
            for picture, reason in self.failures.items()
        ]
        if self.unusable:
            lines.append(str(self.unusable))
        counts = {
            "done": len(self.done),
            "skipped, done before": self.skipped,
            "failed": len(self.failures),
            "not tried": len(self.left),
        }
        words = [f"{count} {what}" for what, count in counts.items() if count]
        ending = "interrupted; the same command resumes: " if self.interrupted else ""
        return "\n".join([*lines, ending + (", ".join(words) or "no pictures")])


def run(
    jobs: Sequence[Job],
    work: Callable[[Job], None],
    stopping: Event,
    tally: Tally,
    *,
    threads: int = 1,
    progress: bool = False,
) -> None:
    """Do the work of each job, `threads` at a time, and enter its outcome into the tally.

    An interrupt starts no other job, and gives those in flight `GRACE_S` to finish. A server that
    is of no use starts no other either.
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

    # By default, which is None, tqdm hides itself where stderr is not a terminal.
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
                print_message("finishing the pictures in flight; again to end now")
                _enter_all(pending, stopping, tally, bar, monotonic() + GRACE_S)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    tally.left |= {job.source for job in jobs} - tally.done - tally.failures.keys()


def _enter_all(
    pending: "dict[Future[bool], Job]",
    stopping: Event,
    tally: Tally,
    bar: "tqdm[NoReturn]",
    deadline: float = math.inf,
) -> None:
    """Enter futures into the tally as they finish, until all have or the deadline has passed.

    They are taken out of `pending`.
    """
    finished: SimpleQueue[Future[bool]] = SimpleQueue()
    for future in pending:
        future.add_done_callback(finished.put)
    while pending and monotonic() < deadline:
        try:
            future = finished.get(timeout=LONGEST_WAIT_S)
        except Empty:
            continue
        picture = pending[future].source
        try:
            if future.result():
                tally.done.add(picture)
        except ServerUnusable as error:
            tally.unusable = error
        except (ClientError, OSError) as error:
            # If the pause before another try was cut short, the picture may still be fine.
            if not (isinstance(error, TryLater) and stopping.is_set()):
                tally.failures[picture] = str(error)
        except MemoryError:
            tally.failures[picture] = "not enough memory: try fewer --jobs"
        del pending[future]
        bar.update()
