"""All servers that the cases name, each with its port."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.measure.bench.article_server import ArticleServer
from scripts.measure.bench.cases import (
    BATCHES,
    ISNET,
    LATENCY,
    PRECISIONS,
    SMALL,
    SMALL_EXACT,
    WORKERS,
)
from scripts.measure.bench.peers import peer_servers
from scripts.measure.kit.our_server import AUTO, Product
from scripts.measure.kit.servers import Fleet, Server

# A server of ours has a port of its own, and the two after it.
PORT_STEP = 4


@dataclass(frozen=True)
class Contenders:
    """Ours and the peers', none of them running yet."""

    products: dict[str, Product]
    fleet: Fleet
    default: Product
    """With the defaults of `make serve`."""


def contenders(build: Path, weights: Mapping[str, Path], port: int, peer_port: int) -> Contenders:
    """Set all of them up below a build folder; those that share a port never run together.

    The peers serve the ONNX files `weights`, by rembg's names of the models.
    """
    ports = {name: port + PORT_STEP * each for each, name in enumerate(PRECISIONS)}
    products = {
        name + profile: our_server(name + profile, ports[name], build)
        for profile in ("", LATENCY)
        for name in PRECISIONS
    }
    for name, small_port in zip((SMALL_EXACT, SMALL), ports.values(), strict=False):
        precision = name.split()[1]
        products[name] = Product(name, small_port, build, precision, model="u2netp")
    for precision, name in ISNET.items():
        for profile in ("", LATENCY):
            products[name + profile] = Product(
                name + profile,
                ports[precision],
                build,
                precision,
                profile="latency" if profile else "throughput",
                model="isnet",
            )
    for (name, size), batch_port in zip(BATCHES.items(), ports.values(), strict=True):
        products[name] = Product(name, batch_port, build, "int8", batch_size=size)
    for (name, workers), workers_port in zip(WORKERS.items(), ports.values(), strict=False):
        products[name] = Product(name, workers_port, build, "int8", workers=workers)
    peers = peer_servers(
        build / "bench" / "venv",
        weights,
        build / "bench" / "peers",
        peer_port,
        len(os.sched_getaffinity(0)),
    )
    servers: list[Server] = [*products.values(), *peers, ArticleServer(port, build)]
    fleet = Fleet({server.name: server for server in servers})
    return Contenders(products, fleet, Product(AUTO, port, build, AUTO))


def our_server(name: str, port: int, build: Path) -> Product:
    """Return the server of one of the names in ``cases.py``."""
    precision = name.removesuffix(LATENCY)
    return Product(name, port, build, precision, "latency" if LATENCY in name else "throughput")
