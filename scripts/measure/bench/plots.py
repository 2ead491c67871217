"""The plots of BENCHMARKS.md."""

from pathlib import Path

import matplotlib as mpl

from scripts.measure.bench.cases import LATENCY_CASE, MATRIX, THROUGHPUT, Turn
from scripts.measure.bench.results import Results, median_of

mpl.use("Agg")

from matplotlib import pyplot as plt

WIDTH, HEIGHT, DPI = 7, 3.2, 90


def write_plots(results: Results, folder: Path) -> list[Path]:
    """Write a plot of each thing that was measured; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for case, figure, title in (
        (THROUGHPUT.name, "rate", "requests/s, 1.5 MP, 4 clients"),
        (LATENCY_CASE.name, "p50", "p50 ms, 1.5 MP, 1 client"),
    ):
        if any(m.case == case and m.good for m in results.measurements):
            written.append(_bars(results, case, figure, title, folder / f"{case}.png"))
    sizes = {case.name for case in MATRIX if case.concurrency == THROUGHPUT.concurrency}
    if any(m.case in sizes and m.good for m in results.measurements):
        written.append(_sizes(results, folder / "sizes.png"))
    return written


def _bars(results: Results, case: str, figure: str, title: str, path: Path) -> Path:
    rounds = {
        label: [getattr(m, figure) for m in results.of(case, label) if m.good]
        for label in results.labels(case)[::-1]
    }
    labels = [label for label, values in rounds.items() if values]
    values = [rounds[label] for label in labels]
    middle = [sorted(each)[len(each) // 2] for each in values]
    spread = [
        [value - min(each) for value, each in zip(middle, values, strict=True)],
        [max(each) - value for value, each in zip(middle, values, strict=True)],
    ]
    fig, axes = plt.subplots(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes.barh(labels, middle, xerr=spread, color="#4477aa", capsize=3)
    axes.set_xlabel(title)
    fig.savefig(path, dpi=DPI)
    plt.close(fig)
    return path


def _sizes(results: Results, path: Path) -> Path:
    """Rate by megapixels at four clients."""
    cases = [case for case in MATRIX if case.concurrency == THROUGHPUT.concurrency]
    fig, axes = plt.subplots(figsize=(WIDTH, HEIGHT), layout="constrained")
    turns: tuple[Turn, ...] = cases[0].turns
    for turn in turns:
        points = [
            (float(case.picture), rate)
            for case in cases
            if (rate := median_of(results.of(case.name, turn.label), lambda m: m.rate)) > 0
        ]
        if points:
            axes.semilogx(*zip(*points, strict=True), marker="o", label=turn.label)
    sizes = [case.picture for case in cases]
    axes.set_xticks([float(size) for size in sizes], sizes)
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("megapixels")
    axes.set_ylabel(f"requests/s, {THROUGHPUT.concurrency} clients")
    axes.legend(fontsize="small")
    fig.savefig(path, dpi=DPI)
    plt.close(fig)
    return path
