"""Pauses workers, so that ending them loses nothing; the other side is ``worker/pause.py``."""

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

from scripts.lifecycle.deadline import Deadline, OverdueError
from scripts.lifecycle.idle import wait_until_idle
from scripts.torchserve.config import ServerError
from scripts.torchserve.management_api import ManagementApi
from u2net_cutout.worker.pause import LONGEST_HOLD_S, held_file, request_file

# The rest of the pause must do for what the command does then.
LONGEST_USE_S = LONGEST_HOLD_S - 5
CALL_INTERVAL_S = 0.1
# Files are dated by a clock that is some milliseconds behind.
CLOCK_S = 0.1
# TorchServe starts a dead worker again after 0, 1, 1, 2, 3, 5, 8 s and so on. Later ones are not
# worth waiting for.
LIFELESS_S = 10


@contextmanager
def paused(
    api: ManagementApi,
    model: str,
    version: str,
    deadline: Deadline,
    *,
    keep: int = 0,
    emptied: bool = True,
) -> Iterator[None]:
    """Pause the workers of a version but the first `keep`, idle as they are, while inside.

    With `emptied`, its queue is empty as well. No request is refused: those that come meanwhile
    wait in the queue, or go to the workers that are kept.

    Where the server speaks KServe's protocol, or a custom handler does not name its process, no
    worker can be paused: they have only been found idle.

    Raises:
        OverdueError: it takes longer than `deadline`, or no worker is left for what waits.
    """
    while not api.config.speaks_kserve:
        with ExitStack() as opened:
            pauses = _Pauses(api, model, version, opened)
            if not _pause(pauses, deadline, keep, emptied):
                break
            # Only now: while they pause, none of these is taken from the queue.
            waiting = _pending(api.describe(model, version)) if emptied else 0
            if not waiting:
                yield
                return
        # They came after the last look; let the workers process them first.
        reason = f"{waiting} more request(s) wait for {model} {version}"
        if not deadline.wait(reason):
            raise OverdueError(reason)
    wait_until_idle(api, model, version, deadline, keep=keep, emptied=emptied)
    yield


@dataclass
class _Pauses:
    """The workers that are requested to pause, and the calls that reach them.

    A describe call goes through the queue, to any worker. One that need not pause responds at once,
    and the call is made again; one that pauses does not respond, and so takes the call away.
    """

    api: ManagementApi
    model: str
    version: str
    opened: ExitStack
    requested: dict[int, float] = field(default_factory=dict)
    """When each was, as ``time.time``."""
    held: set[int] = field(default_factory=set)
    """Those that have paused at least once."""
    responded: dict[int, float] = field(default_factory=dict)
    """When the call began that each responded to last; 0 is one that does not name its process."""

    def __post_init__(self) -> None:
        self.over = threading.Event()
        self.opened.callback(self.over.set)

    def request(self, pid: int) -> None:
        """Request one more worker to pause, until the stack closes; not while another command does.

        Raises:
            ServerError: the file for it can't be written.
        """
        folder = self.api.config.holds
        request, held = request_file(folder, pid), held_file(folder, pid)
        try:
            # A server that an earlier version has started has no such folder.
            folder.mkdir(exist_ok=True)
            lock = request.open("w")
        except OSError as error:
            raise ServerError(f"no worker can be paused: {error.strerror}") from error
        now = time.time()
        if not _is_ours(lock, request):
            lock.close()
            return
        self.opened.enter_context(lock)
        self.opened.callback(request.unlink, missing_ok=True)
        # A worker that is ended while it pauses can't remove it.
        self.opened.callback(held.unlink, missing_ok=True)
        self.requested[pid] = now
        # A daemon, since a call ends only with its worker or with the pause.
        threading.Thread(target=self._call_repeatedly, daemon=True).start()

    def _call_repeatedly(self) -> None:
        while not self.over.is_set():
            began = time.time()
            with suppress(ServerError):  # the queue is full, or the worker has died
                worker = self.api.customized(self.model, self.version).get("worker", {})
                process = worker.get("process", 0)
                self.responded[process] = max(began, self.responded.get(process, 0))
            self.over.wait(CALL_INTERVAL_S)

    def is_paused(self, pid: int) -> bool:
        """Whether a worker is idle, and will be given nothing for some seconds."""
        if pid not in self.requested:
            return False
        with suppress(FileNotFoundError):
            since = held_file(self.api.config.holds, pid).stat().st_mtime
            # An older one was left by a process of the same number that was killed.
            if since > self.requested[pid] - CLOCK_S:
                self.held.add(pid)
                return time.time() - since < LONGEST_USE_S
        # An older handler knows nothing of pauses: that it has responded must do.
        return pid not in self.held and self.responded.get(pid, 0) > self.requested[pid]


def _is_ours(lock: IO[str], request: Path) -> bool:
    """Lock a file, unless another command has; or had, and has just removed it."""
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(lock.fileno()).st_ino == request.stat().st_ino
    return False


def _pause(pauses: _Pauses, deadline: Deadline, keep: int, emptied: bool) -> bool:
    """Wait until the workers pause, or until there are none and nothing waits for them.

    Return False if they can't be paused: what responds does not name its process.
    """
    lively = time.monotonic()
    while True:
        described = pauses.api.describe(pauses.model, pauses.version)
        workers, waiting = described["workers"][keep:], _pending(described)
        ready = [worker["pid"] for worker in workers if worker["status"] == "READY"]
        for pid in ready:
            if pid not in pauses.requested:
                pauses.request(pid)
        busy = [pid for pid in ready if not pauses.is_paused(pid)]
        if not busy and (ready or not emptied or not waiting):
            return True
        if 0 in pauses.responded:
            return False
        reason = _reason(pauses, waiting, len(busy))
        if any(psutil.pid_exists(worker["pid"]) for worker in workers if worker["pid"] > 0):
            lively = time.monotonic()
        elif time.monotonic() - lively > LIFELESS_S:
            raise OverdueError(f"{reason}, and none of its workers lives: see make status")
        if not deadline.wait(reason):
            raise OverdueError(f"{reason}, after {deadline.seconds:.0f} s")


def _reason(pauses: _Pauses, waiting: int, busy: int) -> str:
    # The calls wait in the queue as well.
    requests = max(0, waiting - busy)
    return f"{pauses.model} {pauses.version}: {requests} request(s) wait, {busy} worker(s) busy"


def _pending(described: dict[str, Any]) -> int:
    return int(described["jobQueueStatus"]["pendingRequests"])
