"""Pauses workers, so that ending them loses nothing; ``u2net_cutout/worker/pause.py`` answers."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from scripts.lifecycle.deadline import OverdueError, Patience
from scripts.lifecycle.idle import wait_until_idle
from scripts.torchserve.config import ServerError
from scripts.torchserve.management_api import ManagementApi
from u2net_cutout.worker.pause import LONGEST_HOLD_S, held_file, request_file

# What is left of a hold must do for what the command does then.
HELD_FOR_GOOD_S = LONGEST_HOLD_S - 5
ASK_AGAIN_S = 0.1
# Files are dated by a clock that is some milliseconds behind.
CLOCK_S = 0.1
# TorchServe starts a dead worker again after 0, 1, 1, 2, 3, 5, 8 s and so on. Later ones are not
# worth waiting for.
LIFELESS_S = 10


@contextmanager
def standing_still(
    api: ManagementApi,
    model: str,
    version: str,
    patience: Patience,
    *,
    keep: int = 0,
    emptied: bool = True,
) -> Iterator[None]:
    """Hold the workers of a version but the first `keep`, with nothing in hand, while inside.

    Its queue is empty as well if that is asked for. Nobody is refused: requests that come meanwhile
    wait in the queue, or go to the workers that are kept.

    Where the server speaks KServe's protocol, or a handler of one's own does not say which process
    answers, no worker can be held: they have only been seen idle.

    Raises:
        OverdueError: it takes longer than `patience`, or nobody is left to answer what waits.
    """
    while not api.config.speaks_kserve:
        with ExitStack() as opened:
            holds = _Holds(api, model, version, opened)
            if not _hold(holds, patience, keep, emptied):
                break
            # Only now: as they stand still, none of these can be drawn any more.
            waiting = _pending(api.describe(model, version)) if emptied else 0
            if not waiting:
                yield
                return
        # They came after the last look; let the workers answer them first.
        told = f"{waiting} more request(s) wait for {model} {version}"
        if not patience.wait(told):
            raise OverdueError(told)
    wait_until_idle(api, model, version, patience, keep=keep, emptied=emptied)
    yield


@dataclass
class _Holds:
    """The workers that are asked to stand still, and the calls that ask them.

    A describe call goes through the queue, to any worker. One that need not stand still answers at
    once, and the call is made again; one that must does not answer, and so takes the call away.
    """

    api: ManagementApi
    model: str
    version: str
    opened: ExitStack
    asked: dict[int, float] = field(default_factory=dict)
    """When each was, as ``time.time``."""
    held: set[int] = field(default_factory=set)
    """Those that have stood still at least once."""
    answered: dict[int, float] = field(default_factory=dict)
    """When the call began that each has answered last; 0 is one that does not name its process."""

    def __post_init__(self) -> None:
        self.over = threading.Event()
        self.opened.callback(self.over.set)

    def ask(self, pid: int) -> None:
        """Ask one more worker, until the stack closes; not while another command asks it.

        Raises:
            ServerError: the file for it can't be written.
        """
        folder = self.api.config.holds
        request, held = request_file(folder, pid), held_file(folder, pid)
        try:
            # A server that an older version has started has no such folder.
            folder.mkdir(exist_ok=True)
            lock = request.open("w")
        except OSError as error:
            raise ServerError(f"no worker can be asked to stand still: {error}") from error
        now = time.time()
        if not _is_ours(lock, request):
            lock.close()
            return
        self.opened.enter_context(lock)
        self.opened.callback(request.unlink, missing_ok=True)
        # A worker that is ended while it stands still can't remove it.
        self.opened.callback(held.unlink, missing_ok=True)
        self.asked[pid] = now
        # A daemon, since a call ends only with its worker or with the hold.
        threading.Thread(target=self._call_again_and_again, daemon=True).start()

    def _call_again_and_again(self) -> None:
        while not self.over.is_set():
            began = time.time()
            with suppress(ServerError):  # the queue is full, or the worker has died
                worker = self.api.customized(self.model, self.version).get("worker", {})
                process = worker.get("process", 0)
                self.answered[process] = max(began, self.answered.get(process, 0))
            self.over.wait(ASK_AGAIN_S)

    def stands_still(self, pid: int) -> bool:
        """Whether a worker has nothing in hand, and will be given nothing for some seconds."""
        if pid not in self.asked:
            return False
        with suppress(FileNotFoundError):
            since = held_file(self.api.config.holds, pid).stat().st_mtime
            # An older one was left by a process of the same number that was killed.
            if since > self.asked[pid] - CLOCK_S:
                self.held.add(pid)
                return time.time() - since < HELD_FOR_GOOD_S
        # An older handler knows nothing of holds: that it has answered must do.
        return pid not in self.held and self.answered.get(pid, 0) > self.asked[pid]


def _is_ours(lock: IO[str], request: Path) -> bool:
    """Lock a file, unless another command has; or had, and has just removed it."""
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(lock.fileno()).st_ino == request.stat().st_ino
    return False


def _hold(holds: _Holds, patience: Patience, keep: int, emptied: bool) -> bool:
    """Wait until the workers stand still, or until there are none and nothing waits for them.

    Return False if they can't be told apart: who answers does not say which process it is.
    """
    lively = time.monotonic()
    while True:
        described = holds.api.describe(holds.model, holds.version)
        workers, waiting = described["workers"][keep:], _pending(described)
        ready = [worker["pid"] for worker in workers if worker["status"] == "READY"]
        for pid in ready:
            if pid not in holds.asked:
                holds.ask(pid)
        busy = [pid for pid in ready if not holds.stands_still(pid)]
        if not busy and (ready or not emptied or not waiting):
            return True
        if 0 in holds.answered:
            return False
        told = _told(holds, waiting, len(busy))
        if any(psutil.pid_exists(worker["pid"]) for worker in workers if worker["pid"] > 0):
            lively = time.monotonic()
        elif time.monotonic() - lively > LIFELESS_S:
            raise OverdueError(f"{told}, and none of its workers lives: see make status")
        if not patience.wait(told):
            raise OverdueError(f"{told}, after {patience.seconds:.0f} s")


def _told(holds: _Holds, waiting: int, busy: int) -> str:
    # The calls that ask wait in the queue as well.
    requests = max(0, waiting - busy)
    return f"{holds.model} {holds.version}: {requests} request(s) wait, {busy} worker(s) at work"


def _pending(described: dict[str, Any]) -> int:
    return int(described["jobQueueStatus"]["pendingRequests"])
