"""A server that fails as TorchServe, its proxies and its gateways do; none does that on demand."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Said = tuple[int, dict[str, str], bytes]
"""Status, headers and body of an answer."""
WORKER_DIED = b'{"code": 500, "type": "InternalServerException", "message": "Worker died."}'
BAD_KEY = b'{"code": 400, "type": "InvalidKeyException", "message": "Token Authorization failed."}'
CUTOUT: Said = (200, {"Content-Type": "image/png"}, b"a cutout")


class FailingServer(ThreadingHTTPServer):
    """Says one thing after the other; the last one again and again. None breaks the connection."""

    daemon_threads = True

    def __init__(self, says: list[Said | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.says = says
        self.asked: list[dict[str, str]] = []
        """The headers of each request."""
        self.sent: list[tuple[str, bytes]] = []
        """The way and the body of each."""

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
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        pass


@contextmanager
def failing_server(*says: Said | None) -> Iterator[FailingServer]:
    """Run such a server."""
    with FailingServer(list(says)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
