"""The bench's way to our own server: the public commands."""

from pathlib import Path

import pytest

from scripts.measure.bench.cases import Turn
from scripts.measure.bench.stage_costs import NETWORK, parse_stages
from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.our_server import Product
from scripts.measure.kit.photos import Picture
from scripts.measure.kit.processes import WORKER
from scripts.measure.kit.request import check_cutout, send
from tests.served.conftest import build_folder, free_port

OUTER = {
    **{"VERSION": "9.9", "CHECKPOINT": "/outer.pth", "RUNTIME": "torch", "PRECISION": "int8"},
    **{"MODEL": "u2net", "PROFILE": "latency", "WORKERS": "7", "BATCH_SIZE": "8"},
    **{
        "BATCH_DELAY": "99",
        "KIND": "management",
        "PORT": "1",
        "MAKEFLAGS": " -- VERSION=9.8 WORKERS=6",
    },
}


def test_the_settings_of_the_make_that_runs_the_bench_do_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wheels").mkdir()
    server = Product("small", 9080, tmp_path, "fp32", model="u2netp")
    for name, value in OUTER.items():
        monkeypatch.setenv(name, value)

    # Its own port, in spite of another in the environment; and the kind of token is the default.
    with pytest.raises(BenchError, match="no server runs on port 9080"):
        server.make("token")


def test_it_is_started_asked_and_ended(photo_files: list[Path]) -> None:
    picture = Picture.of("photo", photo_files[0], "")
    turn = Turn("small", edges="plain")
    with build_folder() as build:
        server = Product("small", free_port(), build, "fp32", model="u2netp")
        server.start()
        try:
            response = send(server.request(picture, turn.options))
            assert check_cutout(response, picture, turn.format) == len(response.content)
            assert NETWORK in parse_stages(response.headers["Server-Timing"])
            assert server.tree().cpu_s() > server.tree().cpu_s(WORKER) > 0
            with pytest.raises(BenchError, match="not the cutout in rgba"):
                check_cutout(response, picture, "rgba")
        finally:
            server.stop()
        with pytest.raises(BenchError, match="has ended"):
            server.tree()
