"""The tables of BENCHMARKS.md."""

import statistics
from collections.abc import Sequence

from scripts.measure.bench.cases import PRECISIONS, THROUGHPUT, Turn
from scripts.measure.bench.measurement import Measurement
from scripts.measure.bench.results import Results, median_of
from scripts.measure.bench.targets import TARGETS
from scripts.measure.kit.photos import Picture


def target_table(results: Results) -> str:
    """Return the table of targets and measured values."""
    rows = []
    for target in TARGETS:
        shown, word = target.result(results)
        stretch = "" if target.stretch is None else f"{target.stretch:g}"
        goal = f"{target.direction} {target.target:g}{target.unit}"
        rows.append((target.figure, goal, stretch, shown, word))
    return table(("figure", "target", "stretch", "measured", "result"), rows)


def case_table(results: Results, case: str) -> str:
    """Return the table of one case: a row for each contender."""
    first = results.labels(case)[0]
    rounds = results.of(case, first)
    rows = []
    for label in results.labels(case):
        turns = results.of(case, label)
        ratio = results.ratios(case, label, first, lambda m: m.rate)
        rows.append(
            (
                label,
                _range(turns),
                str(ratio or ""),
                *(
                    f"{median_of(turns, figure):.0f}"
                    for figure in (lambda m: m.p50, lambda m: m.p95, lambda m: m.p99)
                ),
                f"{turns[0].response_bytes / 1e6:.2f}",
                f"{median_of(turns, lambda m: m.cpu_s):.2f}",
                f"{max(m.pss_bytes for m in turns) / 1e9:.2f}",
                str(sum(m.requests for m in turns)),
                str(sum(m.errors for m in turns)),
                f"{max(m.other_load for m in turns):.2f}",
            )
        )
    head = (
        *("server, format", "requests/s", f"times {first}", "p50 ms", "p95 ms", "p99 ms"),
        *("MB a response", "CPU s a picture", "memory GB", "responses", "errors", "others"),
    )
    clients = rounds[0].concurrency
    summary = f"{rounds[0].picture} MP, clients: {clients}, rounds: {len(rounds)}."
    return f"{summary}\n\n{table(head, rows)}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _range(turns: Sequence[Measurement]) -> str:
    rates = [m.rate for m in turns]
    # Rounds without a good response count too, with a rate of 0.
    return f"{statistics.median(rates):.2f} ({min(rates):.2f} to {max(rates):.2f})"


def machine_table(results: Results) -> str:
    """Return the tables of the machine, the versions, and our servers' settings."""
    peers = {f"peer: {name}": found for name, found in results.peers.items()}
    facts = {**results.machine, **peers, "run": f"{results.date}, {results.mode}"}
    rows = [
        (name, ", ".join(f"{fact} {value}" for fact, value in settings.items()))
        for name, settings in results.served.items()
    ]
    ours = (
        f"\n\nOur servers, as `make status` reports them:\n\n{table(('server', 'runs'), rows)}"
        if rows
        else ""
    )
    return table(("", ""), list(facts.items())) + ours


def peak_table(results: Results) -> str:
    """Return the machine's peak, and how much of it the network reaches."""
    rows = []
    for precision in PRECISIONS:
        if precision not in results.peaks:
            continue
        label = Turn(precision, "rgba").label
        share = results.peak_share(THROUGHPUT.name, label, precision)
        turns = results.of(THROUGHPUT.name, label)
        rate = f"{median_of(turns, lambda m: m.rate):.2f}" if turns else ""
        peak = f"{results.peaks[precision] / 1e9:.0f}"
        rows.append((precision, peak, rate, str(share or "")))
    operations = results.network_operations["u2net"] / 1e9
    return (
        "The peak is that of square matrix products of 2048 in torch on all cores: the best of "
        "several samples before and after the run. u2net has "
        f"{operations:.1f} GOP per picture, with 2 operations for each multiply-add of its "
        "convolutions. In float32 minimal filtering needs fewer, so the share can exceed 1. "
        "Responses are raw, 1.5 MP, with 4 clients.\n\n"
        + table(("precision", "peak, GOP/s", "served pictures/s", "share of the peak"), rows)
    )


def stage_table(results: Results) -> str:
    """Return the time of each stage; "" if none were measured."""
    if not results.stages:
        return ""
    names = list(dict.fromkeys(name for costs in results.stages for name in costs.stages_ms))
    rows = [
        (
            costs.label,
            *(f"{costs.stages_ms[name]:.1f}" if name in costs.stages_ms else "" for name in names),
            f"{costs.worker_cpu_ms:.0f}",
            f"{costs.outside_share:.2f}",
        )
        for costs in results.stages
    ]
    head = ("server, format", *names, "worker's CPU", "outside the network")
    return (
        "1.5 MP, one request at a time, throughput profile. Medians of `Server-Timing` in ms, the "
        "workers' CPU time in ms, and the share of it outside the network.\n\n" + table(head, rows)
    )


def mask_table(results: Results) -> str:
    """Return the errors of the masks against those in float32."""
    rows = [
        (name, f"{error.mean:.5f}", f"{error.worst:.5f}", f"{min(error.overlaps.values()):.3f}")
        for name, error in results.masks.items()
    ]
    head = ("model, precision", "mean absolute error", "worst picture", "least IoU at 0.5")
    return (
        f"Difference of the served alpha (0 to 1) from fp32's, over {len(results.mask_pictures)} "
        "photos:\n\n"
        f"{table(head, rows)}\n\n{photo_table(results.mask_pictures)}"
    )


def failure_table(results: Results) -> str:
    """Return what could not be measured; "" if all was."""
    if not results.failures:
        return ""
    rows = [(what, why.splitlines()[0]) for what, why in results.failures.items()]
    return f"## Not measured\n\n{table(('what', 'why'), rows)}"


def photo_table(pictures: Sequence[Picture]) -> str:
    """Return the photos with their sources."""
    rows = [
        (p.name, f"{p.width} x {p.height}", f"{p.file_bytes / 1e6:.2f} MB", p.credit)
        for p in pictures
    ]
    return table(("photo", "pixels", "JPEG", "source"), rows)
