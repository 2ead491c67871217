"""Servers that fail as TorchServe, its proxies and its gateways do, or as hostile ones could."""

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from PIL import Image

Said = tuple[int, dict[str, str], bytes]
"""Status, headers and body of a response."""
WORKER_DIED = b'{"code": 500, "type": "InternalServerException", "message": "Worker died."}'
BAD_KEY = b'{"code": 400, "type": "InvalidKeyException", "message": "Token Authorization failed."}'


def picture(kind: str, mode: str = "RGB", size: tuple[int, int] = (4, 3)) -> bytes:
    """Return a picture's file."""
    file = BytesIO()
    Image.new(mode, size).save(file, kind)
    return file.getvalue()


PNG = picture("PNG", "RGBA")
CUTOUT: Said = (200, {"Content-Type": "image/png"}, PNG)


class FailingServer(ThreadingHTTPServer):
    """Sends one response after the other, and the last one to all further requests.

    None breaks the connection.
    """

    daemon_threads = True

    def __init__(self, says: list[Said | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.says = says
        self.asked: list[dict[str, str]] = []
        """The headers of each request."""
        self.sent: list[tuple[str, bytes]] = []
        """The path and the body of each."""

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FailingServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.sent.append((self.path, body))
        self.server.asked.append(dict(self.headers))
        says = self.server.says
        said = says.pop(0) if len(says) > 1 else says[0]
        if said is None:
            return
        status, headers, content = said
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):  # the client has read enough, and closed it
            self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        pass


class RawServer(socketserver.ThreadingTCPServer):
    """Hands each connection to a function, which may do with it what no HTTP server would."""

    daemon_threads = True

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        super().__init__(("127.0.0.1", 0), _RawHandler)
        self.serve = serve
        self.connected = threading.Event()
        """Set once there was a connection."""

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _RawHandler(socketserver.BaseRequestHandler):
    server: RawServer

    def handle(self) -> None:
        self.server.connected.set()
        with suppress(OSError):  # the client has closed it
            self.server.serve(self.request)


@contextmanager
def failing_server(*says: Said | None) -> Iterator[FailingServer]:
    """Run a server of responses."""
    with FailingServer(list(says)) as server, _serving(server):
        yield server


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[RawServer]:
    """Run a server of connections."""
    with RawServer(serve) as server, _serving(server):
        yield server


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def read_request(connection: socket.socket) -> None:
    """Read a request with its body."""
    file = connection.makefile("rb")
    length = 0
    while (line := file.readline()).strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    file.read(length)


def responding(*parts: bytes) -> Callable[[socket.socket], None]:
    """Return what reads a request, sends these bytes and closes the connection."""

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        for part in parts:
            connection.sendall(part)

    return serve


def dribble(connection: socket.socket, parts: Iterable[bytes]) -> None:
    """Send each part a tenth of a second after the one before."""
    for part in parts:
        connection.sendall(part)
        time.sleep(0.1)
