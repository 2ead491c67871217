import re
from pathlib import Path

import pytest

from scripts.measure.bench.article_server import ArticleServer
from scripts.measure.bench.cases import BATCH_CASE, FULL, QUICK, WORKERS_CASE, Case
from scripts.measure.bench.contenders import contenders
from scripts.measure.bench.peers import PeerServer
from scripts.measure.kit.our_server import Product
from scripts.torchserve.config import ServerConfig


def ports_of(server: object) -> list[int]:
    if isinstance(server, PeerServer):
        return [int(server.url.split("/")[2].partition(":")[2])]
    assert isinstance(server, Product | ArticleServer)
    return ServerConfig(server.port, Path(), Path()).listening_ports


@pytest.mark.parametrize("case", [*FULL, *QUICK], ids=lambda case: case.name)
def test_those_of_a_case_have_ports_of_their_own(case: Case, tmp_path: Path) -> None:
    found = contenders(tmp_path, {}, 9080, 9300)

    running = {turn.server for turn in case.turns}
    ports = [port for name in running for port in ports_of(found.fleet.servers[name])]

    assert len(set(ports)) == len(ports)


def test_each_size_of_batch_and_number_of_workers_is_served(tmp_path: Path) -> None:
    products = contenders(tmp_path, {}, 9080, 9300).products

    batches = [products[turn.server].command("serve") for turn in BATCH_CASE.turns]
    workers = [products[turn.server].command("serve") for turn in WORKERS_CASE.turns]

    assert [re.findall(r"BATCH_SIZE=(\d)", " ".join(words)) for words in batches] == [
        ["1"],
        ["2"],
        ["4"],
    ]
    assert [re.findall(r"WORKERS=(\d)", " ".join(words)) for words in workers] == [["1"], ["2"]]


def test_the_full_run_measures_all_and_the_quick_one_what_the_targets_need() -> None:
    assert {BATCH_CASE, WORKERS_CASE} <= set(FULL)
    assert not {BATCH_CASE.name, WORKERS_CASE.name} & {case.name for case in QUICK}


def test_case_names_are_their_own() -> None:
    for cases in (FULL, QUICK):
        names = [case.name for case in cases]
        assert len(set(names)) == len(names)
