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


RATE = "times rembg's rate"
P50 = "rembg's p50 / ours"
PEAK = "share of the peak"
MEMORY = "memory / rembg's"
ERROR = "mean error of the masks"

TARGETS = (
    Target(f"{RATE}: int8", "at least", 4.3, 5, _faster(THROUGHPUT.name, Turn("int8"))),
    Target(
        f"{RATE}: int8, default edges",
        "at least",
        3.8,
        4.5,
        _faster(THROUGHPUT.name, Turn("int8", edges="matte")),
    ),
    Target(f"{RATE}: bf16", "at least", 2.7, 2.9, _faster(THROUGHPUT.name, Turn("bf16"))),
    Target(f"{RATE}: fp32", "at least", 1.42, 1.5, _faster(THROUGHPUT.name, Turn("fp32"))),
    Target(f"{P50}: int8", "at least", 4, 4.5, _shorter_latency(Turn("int8" + LATENCY))),
    Target(f"{P50}: fp32", "at least", 1.55, 1.65, _shorter_latency(Turn("fp32" + LATENCY))),
    Target(
        f"{RATE}: int8, 12 MP",
        "at least",
        5,
        7,
        _faster(LARGE.name, Turn("int8")),
    ),
    *(
        Target(
            f"`.tobytes()`, times `.tolist()`'s rate: {case.picture} MP",
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
        "share of CPU time outside the network: int8",
        "at most",
        0.15,
        0.1,
        _outside_share,
    ),
    Target(f"{ERROR}: u2net int8", "at most", 2e-3, 1e-3, _mask_error("u2net int8")),
    Target(f"{ERROR}: u2net bf16", "at most", 2e-3, 1e-3, _mask_error("u2net bf16")),
    Target(
        f"{ERROR}: u2netp auto",
        "at most",
        4e-3,
        None,
        _mask_error("u2netp auto"),
    ),
    Target(
        f"{MEMORY}: int8",
        "at most",
        0.6,
        0.4,
        _memory(THROUGHPUT.name, Turn("int8"), REMBG),
    ),
    Target(f"{RATE} with isnet: isnet int8", "at least", 4.3, 5, _isnet_faster("int8")),
    Target(f"{RATE} with isnet: isnet fp32", "at least", 1.5, 2.2, _isnet_faster("fp32")),
    Target(f"{RATE} with u2net: isnet int8", "at least", 1.7, 2, _isnet_faster("int8", REMBG)),
    Target(
        f"{P50}, with isnet: isnet int8",
        "at least",
        4,
        4.5,
        _shorter_latency(Turn(ISNET["int8"] + LATENCY), ISNET_LATENCY.name, REMBG_ISNET),
    ),
    Target(
        f"{MEMORY} with isnet: isnet int8",
        "at most",
        0.6,
        0.4,
        _memory(ISNET_CASE.name, Turn(ISNET["int8"]), REMBG_ISNET),
    ),
    Target(f"{ERROR}: isnet int8", "at most", 3e-3, 2e-3, _mask_error("isnet int8")),
    Target(f"{ERROR}: isnet bf16", "at most", 5e-4, None, _mask_error("isnet bf16")),
    Target("`make serve`, everything installed, to READY", "at most", 15, 8, _ready, " s"),
)
