"""Composites that need no server; the others are in tests/served/test_local_composite.py."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from u2net_cutout import Refused, UsageError, connect, remove
from u2net_cutout.client.local_composite import _sample, composite, proxy_side


def test_a_picture_that_is_none_is_refused_without_the_server() -> None:
    with pytest.raises(Refused, match="invalid_file_type"):
        remove(b"no picture", client=connect("http://127.0.0.1:9"), composite=True)


def test_the_client_bounds_no_memory_which_is_that_of_other_threads_too() -> None:
    """So it needs no module that only Unix has."""
    file = BytesIO()
    Image.new("RGB", (1200, 1200)).save(file, "PNG")
    code = (
        "import sys; sys.modules['resource'] = None; from u2net_cutout import connect, remove;"
        "client = connect('http://127.0.0.1:9', tries=1);"
        "remove(sys.stdin.buffer.read(), client=client, composite=True)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        input=file.getvalue(),
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert b"ServerAway: no connection to" in ended.stderr


@pytest.mark.parametrize("options", [{"crop": True}, {"edges": "matte"}, {"size": "hd"}])
def test_what_needs_the_whole_picture_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="composite excludes"):
        remove(b"photo", client=connect("http://127.0.0.1:9"), composite=True, **options)


@pytest.mark.parametrize("size", [(1707, 961), (100, 80), (4000, 37)])
@pytest.mark.parametrize("side", [320, 1024])
def test_the_network_samples_the_copy_as_it_would_the_whole(
    side: int, size: tuple[int, int]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    whole = Image.fromarray(noise)

    proxy = _sample(whole, proxy_side(side))

    seen, expected = (
        functional.interpolate(
            torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float(),
            (side, side),
            mode="bilinear",
        )
        for picture in (proxy, whole)
    )
    assert (seen - expected).abs().max() < 1.1  # Pillow cuts fractions off


@pytest.mark.parametrize(("side", "copy"), [(320, 960), (1024, 1024), (512, 512), (2048, 2048)])
def test_the_copy_has_about_a_million_pixels_and_a_middle_for_each_of_the_networks(
    side: int, copy: int
) -> None:
    assert proxy_side(side) == copy


class Answering(BaseHTTPRequestHandler):
    """Says that its network sees a square of 1024 pixels; every picture is foreground."""

    sizes: ClassVar[list[tuple[int, int]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        start = body.index(b"\xff\xd8") if b"\xff\xd8" in body else body.index(b"\x89PNG")
        with Image.open(BytesIO(body[start:])) as picture:
            self.sizes.append(picture.size)
            matte = BytesIO()
            Image.new("L", picture.size, 255).save(matte, "PNG")
        self.send_response(200)
        head = {
            "Content-Type": "image/png",
            "Content-Length": len(matte.getvalue()),
            "X-Input-Size": 1024,
        }
        for name, value in head.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(matte.getvalue())

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def answering() -> Iterator[str]:
    """The address of a server whose network takes larger pictures than U²-Net."""
    Answering.sizes.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_copy_is_the_served_networks_from_the_second_request_on(answering: str) -> None:
    file = BytesIO()
    Image.effect_noise((1500, 1200), 90).convert("RGB").save(file, "PNG")

    with connect(answering) as client:
        for _ in range(2):
            composite(client, file.getvalue(), {"format": "png"})

    assert Answering.sizes == [(960, 960), (1024, 1024), (1024, 1024)]


def test_a_file_that_is_smaller_than_its_copy_is_sent_once(answering: str) -> None:
    file = BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, "PNG")

    with connect(answering) as client:
        composite(client, file.getvalue(), {"format": "png"})

    assert Answering.sizes == [(40, 30)]
