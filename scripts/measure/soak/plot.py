"""The plot of a soak."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

from scripts.measure.soak.record import WINDOW_S, Record
from scripts.measure.soak.samples import JVM

mpl.use("Agg")

from matplotlib import pyplot as plt

WIDTH, HEIGHT, DPI = 9, 10, 90


def write_plot(record: Record, path: Path) -> None:
    """Plot memory, latency, responses and handles over the minutes, as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fig, rows = plt.subplots(4, figsize=(WIDTH, HEIGHT), sharex=True, layout="constrained")
    _memory(record, rows[0])
    _latency(record, rows[1])
    _responses(record, rows[2])
    _handles(record, rows[3])
    for axes in rows:
        for start, end in record.rollouts:
            axes.axvspan(start / 60, end / 60, color="#e5e5e5", zorder=0)
        for start, end in record.idle:
            axes.axvspan(start / 60, end / 60, color="#eef5e5", zorder=0)
        axes.axvline(record.seconds / 60, color="#999999", linestyle=":")
        axes.legend(fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=5)
    rows[-1].set_xlabel("minutes; grey: a rollout; green: no requests; dotted: the end")
    fig.savefig(path, dpi=DPI)
    plt.close(fig)


def _series(record: Record, name: str, figure: str) -> tuple[list[float], list[float]]:
    seen = [each for each in record.samples if name in each.processes]
    return (
        [each.at / 60 for each in seen],
        [float(getattr(each.processes[name], figure)) for each in seen],
    )


def _processes(record: Record) -> list[str]:
    return list(dict.fromkeys(name for each in record.samples for name in each.processes))


def _memory(record: Record, axes: Any) -> None:
    for name in _processes(record):
        minutes, sizes = _series(record, name, "rss")
        mebibytes = [size / 2**20 for size in sizes]
        axes.plot(minutes, mebibytes, linewidth=0.8, label=_label(name))
    axes.set_ylabel("resident memory, MiB")
    axes.set_ylim(bottom=0)


def _label(name: str) -> str:
    return name if name == JVM else f"worker of {name.partition('/')[0]}"


def _latency(record: Record, axes: Any) -> None:
    windows = [window for window in record.windows if window.milliseconds]
    minutes = [(window.start + WINDOW_S / 2) / 60 for window in windows]
    for share in ("p50", "p95", "p99"):
        axes.semilogy(
            minutes, [window.milliseconds[share] for window in windows], linewidth=0.8, label=share
        )
    axes.set_ylabel(f"ms, status 200, windows of {WINDOW_S:.0f} s")


def _responses(record: Record, axes: Any) -> None:
    minutes = [(window.start + WINDOW_S / 2) / 60 for window in record.windows]
    for status in sorted(record.statuses()):
        rates = [window.statuses.get(status, 0) / WINDOW_S for window in record.windows]
        axes.plot(minutes, rates, linewidth=0.8, label="hung up" if status == "0" else status)
    axes.set_ylabel("responses a second")


def _handles(record: Record, axes: Any) -> None:
    for name in _processes(record):
        axes.plot(*_series(record, name, "handles"), linewidth=0.8, label=_label(name))
    minutes = [each.at / 60 for each in record.samples]
    threads = [
        each.processes[JVM].threads if JVM in each.processes else 0 for each in record.samples
    ]
    axes.plot(minutes, threads, linewidth=0.8, linestyle="--", label="threads of the JVM")
    files = [each.temporary_files for each in record.samples]
    axes.plot(minutes, files, linewidth=0.8, linestyle=":", label="temporary files")
    axes.set_ylabel("handles, threads, files")
    axes.set_ylim(bottom=0)
