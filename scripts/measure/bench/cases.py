"""The cases that are measured, in one table."""

from dataclasses import dataclass
from typing import Literal

Format = Literal["png", "rgba", "webp", "tolist"]
Edges = Literal["plain", "matte"]

REMBG = "rembg"
REMBG_SINGLE = "rembg, 1 thread"
REMBG_ISNET = "rembg, isnet-general-use"
LITSERVE = "litserve"
ARTICLE = "article"
PRECISIONS = ("int8", "bf16", "fp32")
# The names of our servers: a precision, with " latency" in that profile.
LATENCY = " latency"


@dataclass(frozen=True)
class Turn:
    """One server and one kind of request. rembg and LitServe always send PNG with plain edges."""

    server: str
    format: Format = "png"
    edges: Edges = "plain"

    @property
    def options(self) -> dict[str, str]:
        """The options, as a form's fields."""
        return {"format": self.format, "edges": self.edges}

    @property
    def label(self) -> str:
        """Its name in the report."""
        matte = ", default edges" if self.edges == "matte" else ""
        return self.server if self.server in PEERS else f"{self.server}, {self.format}{matte}"


PEERS = (REMBG, REMBG_SINGLE, REMBG_ISNET, LITSERVE)


@dataclass(frozen=True)
class Case:
    """Servers that take turns: each in every round, so that ratios are of one and the same time."""

    name: str
    picture: str
    """Its megapixels, see ``kit/photos.py``."""
    concurrency: int
    turns: tuple[Turn, ...]
    seconds: int = 10
    """Each turn takes about so long, but has at least one request a client."""
    rounds: int = 3


PLAIN = tuple(Turn(precision) for precision in PRECISIONS)
RAW = tuple(Turn(precision, "rgba") for precision in PRECISIONS)

THROUGHPUT = Case(
    "throughput",
    "1.5",
    4,
    (Turn(REMBG), *PLAIN, Turn("int8", edges="matte"), *RAW, Turn(REMBG_SINGLE), Turn(LITSERVE)),
)
LARGE = Case("12 megapixels", "12", 2, (Turn(REMBG), Turn("int8")), seconds=15)
LATENCY_CASE = Case(
    "latency",
    "1.5",
    1,
    (Turn(REMBG), *(Turn(precision + LATENCY) for precision in PRECISIONS)),
)
LISTS = tuple(
    Case(
        f"lists, {picture} MP",
        picture,
        1,
        (Turn(ARTICLE, "tolist"), Turn(ARTICLE, "rgba")),
        rounds=1,
    )
    for picture in ("0.4", "1.5", "12")
)

# What the small network gains by its default precision, which may be float32.
SMALL_EXACT, SMALL = "u2netp fp32", "u2netp auto"
SMALL_CASE = Case("u2netp", "1.5", 4, (Turn(SMALL_EXACT), Turn(SMALL)))

# IS-Net, where its weights are; a picture takes some seconds.
ISNET = {precision: f"isnet {precision}" for precision in PRECISIONS}
ISNET_CASE = Case(
    "isnet",
    "1.5",
    4,
    (Turn(REMBG_ISNET), Turn(REMBG), *map(Turn, ISNET.values())),
    seconds=20,
)
ISNET_LATENCY = Case(
    "isnet, latency",
    "1.5",
    1,
    (Turn(REMBG_ISNET), Turn(ISNET["int8"] + LATENCY), Turn(ISNET["fp32"] + LATENCY)),
)
ISNET_CASES = frozenset({ISNET_CASE.name, ISNET_LATENCY.name})

# Every size and number of clients, every format and both edges: an overview, each turn once.
MATRIX = tuple(
    Case(
        f"{picture} MP, {concurrency} clients",
        picture,
        concurrency,
        (
            Turn(REMBG),
            Turn(LITSERVE),
            Turn("int8"),
            Turn("int8", edges="matte"),
            Turn("int8", "rgba"),
            Turn("int8", "webp"),
        ),
        seconds=8,
        rounds=1,
    )
    for picture in ("0.4", "1.5", "12")
    for concurrency in (1, 4, 16)
)

# int8 with other settings of `make serve` than the default, by the name of the server.
BATCHES = {f"int8, BATCH_SIZE={size}": size for size in (1, 2, 4)}
WORKERS = {f"int8, WORKERS={workers}": workers for workers in (1, 2)}
BATCH_CASE = Case("batches on a CPU", "1.5", 4, tuple(map(Turn, BATCHES)))
WORKERS_CASE = Case("workers on a CPU", "1.5", 4, tuple(map(Turn, WORKERS)))

# In the order in which they need the fewest servers to be started.
FULL = (
    *(THROUGHPUT, LARGE, *MATRIX, BATCH_CASE, WORKERS_CASE, LATENCY_CASE, SMALL_CASE),
    *(ISNET_CASE, ISNET_LATENCY),
    *LISTS,
)


def _quick(case: Case, seconds: int, rounds: int, *left_out: str) -> Case:
    turns = tuple(turn for turn in case.turns if turn.server not in left_out)
    return Case(case.name, case.picture, case.concurrency, turns, seconds, rounds)


QUICK = (
    _quick(THROUGHPUT, 10, 3, REMBG_SINGLE, LITSERVE),
    _quick(LARGE, 15, 2),
    _quick(LATENCY_CASE, 8, 3, "bf16" + LATENCY),
    _quick(SMALL_CASE, 6, 2),
    _quick(ISNET_CASE, 20, 2),
    _quick(ISNET_LATENCY, 10, 2),
    *(_quick(case, 6, 1) for case in LISTS),
)
