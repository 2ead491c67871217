"""A deadline for a whole exchange with a server, from the connection to the response's last byte.

The timeouts of sockets bound each read, so that a server that sends a byte a second holds its
client for as long as it likes. Here a timer shuts the connection down, whatever it is in: the
handshake, the request, the headers or the body.
"""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any

import requests
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool

_thread = threading.local()


class Deadline:
    """The time that one exchange has, as a context of the thread that makes it.

    It takes effect on the connections of a session with `DeadlineAdapter`.

    Raises:
        TimeoutError: at the end of the context, if the time was over before.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._expired = False
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> "Deadline":
        _thread.deadline = self
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        _thread.deadline = None
        with self._lock:
            self._release()
        # A body that ends with its connection looks whole after a shutdown.
        if self._expired and (error is None or isinstance(error, Exception)):
            raise TimeoutError(f"no whole response within {self.seconds:g} s") from error

    def watch(self, connected: socket.socket) -> None:
        """Shut this socket down at the deadline, or now if that is over."""
        with self._lock:
            self._release()
            # A descriptor of its own: TLS takes over the socket's, and a response outlives it.
            self._socket = socket.fromfd(connected.fileno(), connected.family, connected.type)
            if self._expired:
                self._shut_down()

    def _expire(self) -> None:
        with self._lock:
            self._expired = True
            self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # the server has closed it
                self._socket.shutdown(socket.SHUT_RDWR)

    def _release(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class DeadlineAdapter(requests.adapters.HTTPAdapter):
    """Opens connections that the `Deadline` of their thread can end, through proxies as well."""

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> ConnectionPool:
        """Return the pool for a request, with such connections."""
        pool = super().get_connection_with_tls_context(*args, **options)
        if isinstance(pool, HTTPConnectionPool) and not issubclass(pool.ConnectionCls, _Watched):
            # Whichever class it is: for TLS and SOCKS it is another one.
            pool.ConnectionCls = type("WatchedConnection", (_Watched, pool.ConnectionCls), {})
        return pool


class _Watched(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        deadline = _current()
        if deadline is not None:
            # urllib3 leaves the time to connect on it, which is too short for a large picture.
            connected.settimeout(None)
            deadline.watch(connected)
        return connected

    def request(self, *args: Any, **options: Any) -> None:
        """Send a request; a connection that was open before is watched from here on."""
        deadline = _current()
        if deadline is not None and self.sock is not None:
            deadline.watch(self.sock)
        super().request(*args, **options)


def _current() -> Deadline | None:
    return getattr(_thread, "deadline", None)
