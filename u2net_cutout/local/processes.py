"""Cuts pictures out in processes of their own, each with the archive's network.

A process that dies over a picture, or takes too long, costs that picture alone: the next one gets
another process. A process starts when it is needed for the first time.
"""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from multiprocessing import get_context, resource_tracker
from pathlib import Path
from queue import LifoQueue
from threading import Event, Lock, Timer
from types import TracebackType

from u2net_cutout.client.errors import ArchiveUnusable, ClientError, Refused
from u2net_cutout.client.responses import Cutout
from u2net_cutout.local.opening import read_archive
from u2net_cutout.local.serving import Request, serve

# A fork would have the locks of this process's threads, and none of the threads.
CONTEXT = get_context("spawn")
# A terminal and service managers send them to every process of a command; the command decides.
HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# From the end of its connection to its own.
LAST_MOMENT_S = 5.0


class CutoutProcesses:
    """Processes that cut out, as many pictures at once; threads share it. Close it."""

    def __init__(self, archive: Path, count: int, threads: int, timeout_s: float) -> None:
        """Read the archive; `timeout_s` bounds the work on one picture.

        Raises:
            ArchiveUnusable, UsageError: as ``open_archive``.
        """
        read_archive(archive)
        self.stopping = Event()
        """Once set, no other picture should be sent; those in flight are cut out."""
        self.input_size: int | None = None
        """Side of the square that the network sees, in pixels, by the last cutout."""
        self._archive, self._threads, self._timeout_s = archive, threads, timeout_s
        self._lock = Lock()
        self._started: set[CutoutProcess] = set()
        self._closed = False
        # Last in, first out: where one is enough, only one is started.
        self._idle: LifoQueue[CutoutProcess | None] = LifoQueue()
        for _ in range(count):
            self._idle.put(None)

    def __enter__(self) -> "CutoutProcesses":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, also those that are at work; they have nothing to lose."""
        with self._lock:
            self._closed = True
            for process in self._started:
                process.end()

    def cut_out(
        self, picture: bytes, options: Mapping[str, str], background: bytes | None = None
    ) -> Cutout:
        """Return the cutout of a picture, as ``CutoutModel.cut_out``.

        Raises:
            Refused: it can't be cut out, or its process died or took too long.
            ArchiveUnusable: no process can load the archive.
        """
        process = self._idle.get()
        try:
            process = process or self._start()
            outcome = process.ask((picture, dict(options), background), self._timeout_s)
        finally:
            if process is not None and process.ended:
                with self._lock:
                    self._started.discard(process)
                process = None
            self._idle.put(process)
        if isinstance(outcome, ClientError):
            raise outcome
        self.input_size = outcome.input_size
        return outcome

    def _start(self) -> "CutoutProcess":
        with self._lock:
            if self._closed:
                raise ArchiveUnusable(f"{self._archive} is closed")
            process = CutoutProcess(self._archive, self._threads)
            self._started.add(process)
        process.await_network()
        return process


class CutoutProcess:
    """One process, which loads the network of an archive and then cuts out one picture at a time.

    It is not touched by the signals that end a command, and ends with the process that started it.
    """

    def __init__(self, archive: Path, threads: int) -> None:
        self.ended = False
        self._archive = archive
        self._connection, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=serve, args=(theirs, archive, threads), daemon=True)
        with _signals_held():
            self._process.start()
        theirs.close()

    def await_network(self) -> None:
        """Wait until the network is loaded.

        Raises:
            ArchiveUnusable: it can't be.
        """
        try:
            error = self._connection.recv()
        except (EOFError, OSError):
            error = f"its process {self._death()} before it was loaded: try fewer --jobs"
        if error is not None:
            self.end()
            raise ArchiveUnusable(f"{self._archive}: {error}")

    def ask(self, request: Request, timeout_s: float) -> Cutout | ClientError:
        """Have a picture cut out; the error is why there is no cutout of it."""
        expired = Event()

        def expire() -> None:
            expired.set()
            self._process.kill()

        # Not a wait for the outcome alone: a process that hangs takes no request either.
        timer = Timer(timeout_s, expire)
        timer.start()
        try:
            self._connection.send(request)
            outcome: Cutout | ClientError = self._connection.recv()
            return outcome
        except (EOFError, OSError):
            words = f"the process that cut it out {self._death()}"
        finally:
            timer.cancel()
            if expired.is_set():  # maybe just after the outcome came
                self.end()
        if expired.is_set():
            words = f"no cutout within {timeout_s:g} s: its process was ended"
        return Refused(words, status=HTTPStatus.INTERNAL_SERVER_ERROR)

    def end(self) -> None:
        """End it at once."""
        self.ended = True
        self._process.kill()
        self._process.join()

    def _death(self) -> str:
        """Return how it ended by itself."""
        self._process.join(LAST_MOMENT_S)
        self.end()
        code = self._process.exitcode or 0
        return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


@contextmanager
def _signals_held() -> Iterator[None]:
    """Let what this thread starts meanwhile never get the signals that end a command."""
    resource_tracker.ensure_running()  # which would let them through again, as it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
