import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.hey import drive, parse_csv
from scripts.measure.kit.request import Request
from tests.conftest import ROOT

HEAD = (
    "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n"
)
UNPACKED = ROOT / "build" / "bench" / "packages" / "hey" / "usr" / "bin" / "hey"
HEY = shutil.which("hey") or (str(UNPACKED) if UNPACKED.exists() else None)

needs_hey = pytest.mark.skipif(HEY is None, reason="hey is not here: apt install hey")


def csv(*rows: tuple[float, int, float]) -> str:
    """Write what hey writes of requests that took so long, were answered so, and began then."""
    return HEAD + "".join(f"{took},0,0,0,0,0,{status},{start}\n" for took, status, start in rows)


def test_a_rate_counts_from_the_first_request_to_the_last_answer() -> None:
    load = parse_csv(csv((2.0, 200, 0.5), (1.0, 200, 0.5), (1.0, 200, 3.5)), 3)

    assert load.seconds == pytest.approx(4)
    assert load.rate == pytest.approx(0.75)


def test_percentiles_are_latencies_that_were_seen() -> None:
    load = parse_csv(csv(*((ms / 1000, 200, 0) for ms in range(100, 0, -1))), 100)

    assert [load.percentile(share) for share in (0.5, 0.95, 0.99, 1)] == [50, 95, 99, 100]


def test_what_is_not_answered_well_is_an_error() -> None:
    load = parse_csv(csv((1, 200, 0), (9, 503, 0)), 3)

    assert load.errors == 2
    assert load.latencies_ms == (1000,)


def test_no_answer_at_all_is_a_rate_of_nothing() -> None:
    load = parse_csv(HEAD, 4)

    assert (load.rate, load.errors) == (0, 4)


class Echo(BaseHTTPRequestHandler):
    """Answers a form with 200, anything else with 415."""

    received: list[tuple[str, bytes]] = []  # noqa: RUF012 - the class is the server's only handle

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.headers["Authorization"], body))
        known = self.headers["Content-Type"].startswith("multipart/form-data")
        self.send_response(200 if known else 415)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    Echo.received.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@needs_hey
def test_a_server_gets_each_request_as_it_is_written(address: str, tmp_path: Path) -> None:
    body = tmp_path / "form"
    body.write_bytes(b"a photo\0")
    form = Request(address, {"Authorization": "Bearer x"}, "multipart/form-data; boundary=b", body)

    load = drive(Path(str(HEY)), form, 6, 3)

    assert (len(load.latencies_ms), load.errors) == (6, 0)
    assert Echo.received == [("Bearer x", b"a photo\0")] * 6


@needs_hey
def test_a_refusal_is_counted(address: str, tmp_path: Path) -> None:
    body = tmp_path / "form"
    body.write_bytes(b"x")

    load = drive(Path(str(HEY)), Request(address, {"Authorization": "x"}, "text/plain", body), 2, 1)

    assert load.errors == 2


def test_requests_are_shared_evenly(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="3 clients"):
        drive(tmp_path, Request("", {}, "", tmp_path), 4, 3)
