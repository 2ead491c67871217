"""The targets of the benchmarks, and whether a run reaches them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scripts.measure.bench.cases import (
    ISNET,
    ISNET_CASE,
    ISNET_LATENCY,
    LARGE,
    LATENCY,
    LATENCY_CASE,
    LISTS,
    REMBG,
    REMBG_ISNET,
    THROUGHPUT,
    Turn,
)
from scripts.measure.bench.measurement import Measurement
from scripts.measure.bench.results import Ratios, Results

NOT_MEASURED = "not measured"
FAILED = "failed"


@dataclass(frozen=True)
class Target:
    """A figure, and the value that it must reach."""

    figure: str
    direction: Literal["at least", "at most"]
    target: float
    stretch: float | None
    measured: Callable[[Results], Ratios | float | None]
    unit: str = ""

    def result(self, results: Results) -> tuple[str, str]:
        """Return the measured value and ``reached``, ``missed`` or the like."""
        found = self.measured(results)
        if found is None:
            return NOT_MEASURED, ""
        if isinstance(found, Ratios) and found.errors:
            # Rates don't count where responses are missing.
            return f"{found}, {found.errors} errors", FAILED
        value = found.median if isinstance(found, Ratios) else found
        shown = str(found) if isinstance(found, Ratios) else f"{found:.4g}"
        if self.stretch is not None and self._reached(value, self.stretch):
            word = "stretch reached"
        else:
            word = "reached" if self._reached(value, self.target) else "missed"
        return f"{shown}{self.unit}", word

    def _reached(self, value: float, goal: float) -> bool:
        return value >= goal if self.direction == "at least" else value <= goal


def _rate(m: Measurement) -> float:
    return m.rate


def _inverse_p50(m: Measurement) -> float:
    return 1 / m.p50


def _pss(m: Measurement) -> float:
    return m.pss_bytes


Measured = Callable[[Results], Ratios | float | None]


def _faster(case: str, turn: Turn, against: str = REMBG) -> Measured:
    return lambda results: results.ratios(case, turn.label, against, _rate)


def _shorter_latency(turn: Turn, case: str = LATENCY_CASE.name, against: str = REMBG) -> Measured:
    return lambda results: results.ratios(case, turn.label, against, _inverse_p50)


def _peak_share(precision: str) -> Measured:
    label = Turn(precision, "rgba").label
    return lambda results: results.peak_share(THROUGHPUT.name, label, precision)


def _mask_error(name: str) -> Measured:
    return lambda results: results.masks[name].mean if name in results.masks else None


def _outside_share(results: Results) -> float | None:
    label = Turn("int8").label
    return next((s.outside_share for s in results.stages if s.label == label), None)


def _memory(case: str, turn: Turn, against: str) -> Measured:
    return lambda results: results.ratios(case, turn.label, against, _pss)


def _ready(results: Results) -> float | None:
    return min(results.seconds_to_ready, default=None)


def _isnet_faster(precision: str, against: str = REMBG_ISNET) -> Measured:
    return _faster(ISNET_CASE.name, Turn(ISNET[precision]), against)


PNG_4 = "1.5 MP, PNG, 4 clients, times rembg's rate"
P50 = "1.5 MP, PNG, 1 client, `PROFILE=latency`, rembg's p50 / ours"
PEAK = "network's arithmetic through the server (raw, 4 clients), of the machine's peak"

TARGETS = (
    Target(f"{PNG_4}: int8", "at least", 4.3, 5, _faster(THROUGHPUT.name, Turn("int8"))),
    Target(
        f"{PNG_4}: int8, default edges",
        "at least",
        3.8,
        4.5,
        _faster(THROUGHPUT.name, Turn("int8", edges="matte")),
    ),
    Target(f"{PNG_4}: bf16", "at least", 2.7, 2.9, _faster(THROUGHPUT.name, Turn("bf16"))),
    Target(f"{PNG_4}: fp32", "at least", 1.42, 1.5, _faster(THROUGHPUT.name, Turn("fp32"))),
    Target(f"{P50}: int8", "at least", 4, 4.5, _shorter_latency(Turn("int8" + LATENCY))),
    Target(f"{P50}: fp32", "at least", 1.55, 1.65, _shorter_latency(Turn("fp32" + LATENCY))),
    Target(
        "12 MP, PNG, 2 clients, times rembg's rate: int8",
        "at least",
        5,
        7,
        _faster(LARGE.name, Turn("int8")),
    ),
    *(
        Target(
            f"{case.picture} MP, `.tobytes()`, times `.tolist()`'s rate on the same server",
            "at least",
            2,
            None,
            _faster(case.name, case.turns[1], case.turns[0].label),
        )
        for case in LISTS
    ),
    Target(f"{PEAK}: int8", "at least", 0.72, 0.8, _peak_share("int8")),
    Target(f"{PEAK}: bf16", "at least", 0.82, 0.88, _peak_share("bf16")),
    Target(f"{PEAK}: fp32", "at least", 0.95, 1.0, _peak_share("fp32")),
    Target(
        "workers' CPU time outside the network, share of an int8 response",
        "at most",
        0.15,
        0.1,
        _outside_share,
    ),
    Target("u2net int8, mean error of the masks", "at most", 2e-3, 1e-3, _mask_error("u2net int8")),
    Target("u2net bf16, mean error of the masks", "at most", 2e-3, 1e-3, _mask_error("u2net bf16")),
    Target(
        "u2netp as it is served by default, mean error of the masks",
        "at most",
        4e-3,
        None,
        _mask_error("u2netp auto"),
    ),
    Target(
        "memory (PSS) of two int8 workers, of rembg's",
        "at most",
        0.6,
        0.4,
        _memory(THROUGHPUT.name, Turn("int8"), REMBG),
    ),
    Target(f"isnet, {PNG_4} with it: int8", "at least", 4.3, 5, _isnet_faster("int8")),
    Target(f"isnet, {PNG_4} with it: fp32", "at least", 1.5, 2.2, _isnet_faster("fp32")),
    Target(f"isnet, {PNG_4} with u2net: int8", "at least", 1.7, 2, _isnet_faster("int8", REMBG)),
    Target(
        f"isnet, {P50}: int8",
        "at least",
        4,
        4.5,
        _shorter_latency(Turn(ISNET["int8"] + LATENCY), ISNET_LATENCY.name, REMBG_ISNET),
    ),
    Target(
        "isnet, memory (PSS) of two int8 workers, of rembg's",
        "at most",
        0.6,
        0.4,
        _memory(ISNET_CASE.name, Turn(ISNET["int8"]), REMBG_ISNET),
    ),
    Target("isnet int8, mean error of the masks", "at most", 3e-3, 2e-3, _mask_error("isnet int8")),
    Target("isnet bf16, mean error of the masks", "at most", 5e-4, None, _mask_error("isnet bf16")),
    Target("`make serve`, everything installed, to READY", "at most", 15, 8, _ready, " s"),
)
