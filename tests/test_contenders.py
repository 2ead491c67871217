from pathlib import Path

import pytest

from article_server import ArticleServer
from bench_cases import FULL, QUICK, Case
from contenders import contenders
from peer_servers import PeerServer
from product_server import Product
from server_config import ServerConfig


def ports_of(server: object) -> list[int]:
    if isinstance(server, PeerServer):
        return [int(server.url.split("/")[2].partition(":")[2])]
    assert isinstance(server, Product | ArticleServer)
    return ServerConfig(server.port, Path(), Path()).listening_ports


@pytest.mark.parametrize("case", [*FULL, *QUICK], ids=lambda case: case.name)
def test_those_of_a_case_have_ports_of_their_own(case: Case, tmp_path: Path) -> None:
    found = contenders(tmp_path, tmp_path / "u2net.onnx", 9080, 9300)

    running = {turn.server for turn in case.turns}
    ports = [port for name in running for port in ports_of(found.fleet.servers[name])]

    assert len(set(ports)) == len(ports)


def test_case_names_are_their_own() -> None:
    for cases in (FULL, QUICK):
        names = [case.name for case in cases]
        assert len(set(names)) == len(names)
