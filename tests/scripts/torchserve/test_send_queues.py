import os
import socket

from scripts.torchserve.binding import HOST
from scripts.torchserve.send_queues import unsent_bytes


def test_bytes_count_until_the_other_side_takes_them() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((HOST, port)) as client:
            connection, _ = server.accept()
            with connection:
                assert unsent_bytes(os.getpid(), {port}) == 0

                connection.setblocking(False)
                sent = 0
                try:
                    while True:
                        sent += connection.send(bytes(1 << 20))
                except BlockingIOError:
                    pass

                assert 0 < unsent_bytes(os.getpid(), {port}) <= sent
                # The client's own end is not the server's.
                assert unsent_bytes(os.getpid(), {client.getsockname()[1]}) == 0

                while sent:
                    sent -= len(client.recv(1 << 20))
                while unsent_bytes(os.getpid(), {port}):
                    pass  # the last piece is confirmed in a moment


def test_a_process_that_is_gone_has_none() -> None:
    assert unsent_bytes(2**30, {80}) == 0
