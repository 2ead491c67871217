"""The tables of BENCHMARKS.md."""

from collections.abc import Callable, Sequence

from scripts.measure.bench.measurement import Measurement
from scripts.measure.bench.results import Ratios, Results, median_of
from scripts.measure.bench.targets import NOT_MEASURED, TARGETS

# What the report shows of the machine apart from versions, and of our servers' descriptions.
HARDWARE = ("CPU", "cores that may be used", "instructions", "memory", "system")
SERVED = ("workers", "runtime", "kernels")
PERCENTILES: dict[str, Callable[[Measurement], float]] = {
    "p50": lambda m: m.p50,
    "p95": lambda m: m.p95,
    "p99": lambda m: m.p99,
}
# Columns of a case's table that may be the same for all of its servers.
COMMON = ("MP", "clients", "errors")


def target_table(results: Results) -> str:
    """Return the table of targets and measured values, then the targets that were not measured."""
    rows = []
    unmeasured = []
    for target in TARGETS:
        shown, word = target.result(results)
        if shown == NOT_MEASURED:
            unmeasured.append(target.figure)
            continue
        stretch = "" if target.stretch is None else f"{target.stretch:g}"
        goal = f"{target.direction} {target.target:g}{target.unit}"
        rows.append((target.figure, goal, stretch, shown, word))
    written = table(("figure", "target", "stretch", "measured", "result"), rows)
    return f"{written}\n\nNot measured: {'; '.join(unmeasured)}." if unmeasured else written


def case_table(results: Results, *cases: str) -> str:
    """Return one table of these cases, which measure the same servers: a row for each server.

    Columns that would say the same in each row are in the line above the table.
    """
    measured = [m for m in results.measurements if m.case in cases]
    first = measured[0].label
    turns = [
        found
        for label in dict.fromkeys(m.label for m in measured)
        for case in cases
        if (found := results.of(case, label))
    ]
    columns = {
        "server": [each[0].label for each in turns],
        "MP": [each[0].picture for each in turns],
        "clients": [str(each[0].concurrency) for each in turns],
        # Rounds without a good response count too, with a rate of 0.
        "requests/s": [str(Ratios(tuple(m.rate for m in each))) for each in turns],
        f"times {first}": [_times(results, each[0], first) for each in turns],
        **{
            f"{name} ms": [f"{median_of(each, figure):.0f}" for each in turns]
            for name, figure in PERCENTILES.items()
        },
        "MB": [f"{each[0].response_bytes / 1e6:.2f}" for each in turns],
        "CPU s": [f"{median_of(each, lambda m: m.cpu_s):.2f}" for each in turns],
        "memory GB": [f"{max(m.pss_bytes for m in each) / 1e9:.2f}" for each in turns],
        "errors": [str(sum(m.errors for m in each)) for each in turns],
    }
    same = {name: columns.pop(name)[0] for name in COMMON if len(set(columns[name])) == 1}
    same["rounds"] = str(max(m.round for m in measured))
    responses = [sum(m.requests for m in each) for each in turns]
    same["responses per server"] = f"{min(responses)} to {max(responses)}"
    same["others"] = f"{max(m.other_load for m in measured):.2f}"
    summary = ", ".join(f"{name}: {value}" for name, value in same.items())
    return f"{summary}.\n\n{table(list(columns), list(zip(*columns.values(), strict=True)))}"


def _times(results: Results, turn: Measurement, first: str) -> str:
    if turn.label == first:
        return "1"
    return str(results.ratios(turn.case, turn.label, first, lambda m: m.rate) or "")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine_list(results: Results) -> str:
    """Return the machine, its peak, and the versions, as a list."""
    hardware = {name: results.machine[name] for name in HARDWARE if name in results.machine}
    versions = {name: v for name, v in results.machine.items() if name not in HARDWARE}
    peaks = {name: f"{peak / 1e9:.0f}" for name, peak in results.peaks.items()}
    lines = [f"- **{name}**: {value}" for name, value in hardware.items()]
    lines += [
        f"- **{what}**: {', '.join(f'{name} {value}' for name, value in values.items())}"
        for what, values in (
            ("peak, GOP/s", peaks),
            ("ours", versions),
            ("peers", results.peers),
        )
        if values
    ]
    return "\n".join([*lines, f"- **run**: {results.date}, {results.mode}"])


def served_table(results: Results) -> str:
    """Return how our servers run; "" if they did not say."""
    rows = [
        (name, *(settings.get(fact, "").strip("{}").replace("'", "") for fact in SERVED))
        for name, settings in results.served.items()
    ]
    return table(("server", *SERVED), rows) if rows else ""


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
        "1.5 MP, one request at a time, `PROFILE=throughput`. The stages are medians of "
        "`Server-Timing` in ms. The worker's CPU time per picture is in ms, too; the last column "
        "is the share of it that the network did not take.\n\n" + table(head, rows)
    )


def mask_table(results: Results) -> str:
    """Return the errors of the masks against those in float32."""
    rows = [
        (name, f"{error.mean:.5f}", f"{error.worst:.5f}", f"{min(error.overlaps.values()):.3f}")
        for name, error in results.masks.items()
    ]
    head = ("model, precision", "mean absolute error", "worst picture", "least IoU at 0.5")
    return (
        "How much the served alpha (0 to 1) differs from that in fp32, over "
        f"{len(results.mask_pictures)} photos:\n\n{table(head, rows)}"
    )


def failure_table(results: Results) -> str:
    """Return what could not be measured; "" if all was."""
    if not results.failures:
        return ""
    rows = [(what, why.splitlines()[0]) for what, why in results.failures.items()]
    return f"## Not measured\n\n{table(('what', 'why'), rows)}"


def photo_table(results: Results) -> str:
    """Return the photos with their sources."""
    rows = [
        (p.name, f"{p.width} x {p.height}", f"{p.file_bytes / 1e6:.2f}", p.credit)
        for p in results.pictures
    ]
    timed = table(("MP", "pixels", "MB of JPEG", "source"), rows)
    if not results.mask_pictures:
        return timed
    files: dict[str, list[str]] = {}
    for picture in results.mask_pictures:
        file, _, author = picture.credit.partition(", ")
        files.setdefault(author, []).append(file)
    masks = [", ".join(filter(None, [*names, author])) for author, names in files.items()]
    return f"{timed}\n\nPhotos of the masks: {'; '.join(masks)}."
