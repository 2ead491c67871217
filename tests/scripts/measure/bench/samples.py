"""Made-up results for the tests of the bench's report."""

import math

from scripts.measure.bench.cases import Case, Turn
from scripts.measure.bench.measurement import Measurement
from scripts.measure.bench.results import Results


def measured(case: Case, turn: Turn, rates: list[float], **figures: float) -> list[Measurement]:
    """One contender's rounds: p50 is 1000 ms over the rate, unless said; a rate of 0 is failure."""
    return [
        Measurement.of(
            case,
            number,
            turn,
            requests=10 if rate else 0,
            errors=0 if rate else 10,
            seconds=10 / rate if rate else math.nan,
            rate=rate,
            **{
                "p50": 1000 / rate if rate else math.nan,
                "p95": 0,
                "p99": 0,
                "cpu_s": 0.4,
                "worker_cpu_s": 0.3,
            }
            | {name: value for name, value in figures.items() if name != "pss_bytes"},
            response_bytes=1_500_000,
            other_load=0.01,
            pss_bytes=int(figures.get("pss_bytes", 10**9)),
        )
        for number, rate in enumerate(rates, 1)
    ]


def results_of(*rounds: list[Measurement]) -> Results:
    """A run that found these."""
    return Results(
        mode="quick",
        date="2030-01-01",
        machine={"CPU": "one"},
        peers={"rembg": "0"},
        network_operations={"u2net": 100},
        peaks={"int8": 1000.0, "bf16": 500.0, "fp32": 200.0},
        measurements=[each for turns in rounds for each in turns],
    )
