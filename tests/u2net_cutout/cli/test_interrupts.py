"""Signals, sent to the command as it is installed, while a server keeps it waiting."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import repeat
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.u2net_cutout.client.failing_server import (
    CUTOUT,
    FailingServer,
    RawServer,
    dribble,
    failing_server,
    raw_server,
    read_request,
)

ENTRY = "from u2net_cutout.cli.entry import run; run()"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
# The command is expected to end long before, and the server to go on for much longer.
ENDED_S, SERVED_S = 30, 300


def endless(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n")
    dribble(connection, repeat(b"x", SERVED_S * 10))


@contextmanager
def command(
    server: RawServer | FailingServer, folder: Path, *arguments: str, ignored: bool = False
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the command in a folder; it has ended when this ends."""

    def ignore() -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def restore() -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    running = subprocess.Popen(
        [sys.executable, "-c", ENTRY, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "U2NET_URL": server.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=ignore if ignored else restore,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def files(folder: Path) -> set[str]:
    """All that a run left, hidden files included."""
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def with_photos(folder: Path) -> Path:
    (folder / "in").mkdir(parents=True)
    for number in range(6):
        (folder / "in" / f"{number}.jpg").write_bytes(b"photo")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return with_photos(tmp_path)


COMMANDS = [
    (signal.SIGTERM, ("i", "in/0.jpg", "out.png")),
    (signal.SIGTERM, ("i", "in/0.jpg", "in/1.jpg", ".")),
    *((number, ("i", "in/0.jpg", "-")) for number in SIGNALS),
    *((number, ("p", "in", "out")) for number in SIGNALS),
    (signal.SIGINT, ("p", "--watch", "--interval", "0.1", "in", "out")),
]


def test_one_signal_ends_a_command_that_waits(tmp_path: Path) -> None:
    with ExitStack() as running:
        # All of them at once, since most take the time that pictures in flight have to finish.
        started = []
        for index, (number, arguments) in enumerate(COMMANDS):
            folder = with_photos(tmp_path / str(index))
            server = running.enter_context(raw_server(endless))
            process = running.enter_context(command(server, folder, *arguments))
            started.append((number, arguments, server, process, folder, files(folder)))
        for number, _, server, process, *_ in started:
            assert server.connected.wait(ENDED_S)
            process.send_signal(number)
        for number, arguments, _, process, folder, before in started:
            _, errors = process.communicate(timeout=ENDED_S)
            assert process.returncode == INTERRUPTED, (number, arguments)
            assert b"Traceback" not in errors, (number, arguments)
            assert files(folder) == before, (number, arguments)


def test_frames_end_by_one_signal(folder: Path) -> None:
    with raw_server(endless) as server, command(server, folder, "b", "4", "3") as running:
        assert running.stdin
        running.stdin.write(bytes(36))
        running.stdin.flush()
        running.stdin.close()
        running.stdin = None
        assert server.connected.wait(ENDED_S)
        running.send_signal(signal.SIGTERM)
        output, errors = running.communicate(timeout=ENDED_S)

    assert (running.returncode, output) == (INTERRUPTED, b"")
    assert b"Traceback" not in errors


def test_a_signal_that_is_ignored_stays_so(folder: Path) -> None:
    def late(connection: socket.socket) -> None:
        read_request(connection)
        for number in SIGNALS:
            running.send_signal(number)
        time.sleep(0.5)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nConnection: close\r\n\r\n"
        connection.sendall(head + CUTOUT[2])

    arguments = ("i", "in/0.jpg", "out.png")
    with raw_server(late) as server, command(server, folder, *arguments, ignored=True) as running:
        _, errors = running.communicate(timeout=ENDED_S)

    assert (running.returncode, errors) == (0, b"")
    assert (folder / "out.png").read_bytes() == CUTOUT[2]


@pytest.mark.parametrize("seed", range(12))
def test_signals_at_any_moment_leave_whole_files_alone(folder: Path, seed: int) -> None:
    """Two of them, at moments drawn at random: during the start, the run and the end."""
    chance = random.Random(seed)
    before = files(folder)
    large = (200, CUTOUT[1], CUTOUT[2][:-12] + bytes(4 << 20) + CUTOUT[2][-12:])
    numbers = chance.choices(SIGNALS, k=2)
    with failing_server(large) as server, command(server, folder, "p", "in", "out") as running:
        # Not before the command's imports, since Python itself has handlers of its own.
        wait_for(lambda: b"_ssl" in maps(running.pid) or running.poll() is not None)
        for number in numbers:
            time.sleep(chance.uniform(0, 0.4))
            running.send_signal(number)
        _, errors = running.communicate(timeout=ENDED_S)

    assert running.returncode in (0, INTERRUPTED, *(-number for number in SIGNALS))
    assert b"Traceback" not in errors
    assert b"Exception" not in errors
    made = files(folder) - before
    assert made <= {f"out/{number}.png" for number in range(6)}
    assert all((folder / name).read_bytes() == large[2] for name in made)


def maps(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/maps").read_bytes()
    except OSError:
        return b""


def wait_for(condition: Callable[[], object]) -> None:
    pause = threading.Event()
    while not condition():
        pause.wait(0.005)
