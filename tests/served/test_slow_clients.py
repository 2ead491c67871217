"""Clients that keep a connection and hardly use it hold no worker: it serves others meanwhile."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from scripts.torchserve.binding import HOST
from tests.served.conftest import Served

IDLE = 200
# A client of 1 KB/s.
PIECE = 1024
PAUSE_S = 1.0
# An answer that no socket buffers whole: 12 MB.
WIDE = (2000, 1500)


def connect(served: Served, stack: ExitStack, receive_buffer: int = 0) -> socket.socket:
    client = stack.enter_context(socket.socket())
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(60)
    client.connect((HOST, served.config.port))
    return client


def head(served: Served, length: int) -> bytes:
    lines = (
        "POST /predictions/u2netp HTTP/1.1",
        f"Host: {HOST}",
        f"Authorization: Bearer {served.api.token('inference')}",
        "Content-Type: application/octet-stream",
        f"Content-Length: {length}",
    )
    return "\r\n".join([*lines, "", ""]).encode()


def uploads(client: socket.socket, rest: bytes, over: threading.Event) -> int:
    """Send piece by piece until it is over; return how much was sent."""
    sent = 0
    while not over.wait(PAUSE_S):
        sent += client.send(rest[sent : sent + PIECE])
    return sent


def reads(client: socket.socket, over: threading.Event) -> int:
    """Read piece by piece until it is over; return how much was read."""
    read = 0
    while not over.wait(PAUSE_S):
        read += len(client.recv(PIECE))
    return read


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def assert_others_are_served(served: Served, photo: bytes) -> None:
    for _ in range(2):
        assert served.ask(data=photo, method="PUT").status_code == 200


def wide(photo: Image.Image) -> bytes:
    buffer = BytesIO()
    photo.resize(WIDE).save(buffer, "JPEG")
    return buffer.getvalue()


def test_idle_connections_keep_nobody_out(
    served: Served, photo_files: list[Path], stack: ExitStack
) -> None:
    workers = served.worker_pids()
    clients = [connect(served, stack) for _ in range(IDLE)]

    assert_others_are_served(served, photo_files[1].read_bytes())

    # They are still there, and served when they ask at last.
    for client in (clients[0], clients[-1]):
        photo = photo_files[1].read_bytes()
        client.sendall(head(served, len(photo)) + photo)
        assert client.recv(12) == b"HTTP/1.1 200"
    assert served.worker_pids() == workers


def test_a_slow_upload_holds_no_worker(
    served: Served, photo_files: list[Path], stack: ExitStack
) -> None:
    photo = photo_files[1].read_bytes()
    client, over = connect(served, stack), threading.Event()
    client.sendall(head(served, len(photo)) + photo[: len(photo) // 2])
    rest = photo[len(photo) // 2 :]
    sent: list[int] = []
    slow = threading.Thread(target=lambda: sent.append(uploads(client, rest, over)))
    slow.start()
    try:
        assert_others_are_served(served, photo)
    finally:
        over.set()
        slow.join()

    assert sent[0] < len(rest)
    client.sendall(rest[sent[0] :])
    assert client.recv(12) == b"HTTP/1.1 200"


def test_a_slow_reader_holds_no_worker(
    served: Served, photo_files: list[Path], photos: list[Image.Image], stack: ExitStack
) -> None:
    workers = served.worker_pids()
    photo = wide(photos[1])
    client, over = connect(served, stack, receive_buffer=1 << 17), threading.Event()
    client.sendall(head(served, len(photo)) + photo)
    # Its answer is on the way.
    assert client.recv(12) == b"HTTP/1.1 200"
    read: list[int] = []
    slow = threading.Thread(target=lambda: read.append(reads(client, over)))
    slow.start()
    try:
        assert_others_are_served(served, photo_files[1].read_bytes())
    finally:
        over.set()
        slow.join()

    # None of it is lost meanwhile.
    while sum(read) < WIDE[0] * WIDE[1] * 4 and (piece := client.recv(1 << 20)):
        read.append(len(piece))
    assert sum(read) >= WIDE[0] * WIDE[1] * 4
    assert served.worker_pids() == workers
