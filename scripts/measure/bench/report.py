"""Writes BENCHMARKS.md from the results of one run."""

from collections.abc import Sequence
from pathlib import Path

from scripts.measure.bench.cases import LISTS, MATRIX
from scripts.measure.bench.results import Results
from scripts.measure.bench.tables import (
    case_table,
    failure_table,
    machine_list,
    mask_table,
    photo_table,
    served_table,
    stage_table,
    target_table,
)

INTRODUCTION = """\
# Benchmarks

`make bench{quick}` writes this file; don't edit it. All figures come from one run on one machine,
with the same weights and photos for all servers. [results.json](docs/benchmarks/results.json) has
every measurement.

- **Load** comes from [hey](https://github.com/rakyll/hey) on the same machine. Each client sends
  its next request when it has the response.
- **Rounds**: in a round every server is measured once, while the others idle. Tables show the
  median of the rounds (and their range). A ratio compares two servers in the same round.
- **requests/s**: responses with status 200, divided by the time to the last response.
- **p50, p95, p99** are medians of the rounds. With few requests p99 is the slowest request.
- **MB** is the size of a response.
- **CPU s** is the CPU time per picture, **memory** the peak (PSS), both of all processes of a
  server, Java included.
- **others** is the largest share of all cores' time that other processes took during a
  measurement. Above 0.05 a measurement is repeated once."""

TARGETS = """\
Measured at 1.5 megapixels (MP) with 4 clients, except: 12 MP with 2 clients; p50 with 1 client and
`PROFILE=latency`; `.tolist()` and `.tobytes()` with 1 client. "Stretch" is a more ambitious target.

"Share of the peak" is the network's operations per second, with raw responses, divided by the
[machine's peak](#machine). u2net has {operations:.1f} GOP (billion operations) per picture: 2 for
each multiply-add of its convolutions. In float32 minimal filtering needs fewer, so the share can
exceed 1."""

PEAK = """\
The peak is the highest speed at which torch multiplies square matrices of side 2048 on all cores,
in several samples before and after the run."""

SERVERS = """\
- **rembg**: `rembg s --no-ui` with its defaults: each request uses all cores.
- **rembg, 1 thread**: the same with `OMP_NUM_THREADS=1`.
- **litserve**: rembg's library in LitServe, one worker per core with one thread. This was faster
  than one worker with all cores.
- **int8**, **bf16**, **fp32**, **auto**: this server ("ours"), from
  `make serve PRECISION=...`; with **latency** in the name, also `PROFILE=latency`.
- **int8, WORKERS=...**, **int8, BATCH_SIZE=...**: the same with that variable. With fewer workers,
  each has more threads.
- **article**: this server in fp32, one worker with all cores. Its handler returns the pixels with
  `.tolist()` (tolist) or `.tobytes()` (rgba).

Cutouts have `edges=plain`, as rembg's do, except in rows named "default edges"."""

ISNET = """\
**isnet** is this server with IS-Net. **rembg, isnet-general-use** has the same weights, converted
back to 32 bits."""


def write_report(results: Results, path: Path, plots: Sequence[Path], quick: bool) -> None:
    """Write the whole report; `plots` are beside or below its folder."""
    operations = results.network_operations["u2net"] / 1e9
    isnet = any("isnet" in m.label for m in results.measurements)
    parts = [
        INTRODUCTION.format(quick=" QUICK=1" if quick else ""),
        f"## Targets\n\n{TARGETS.format(operations=operations)}\n\n{target_table(results)}",
        *(f"![{plot.stem}]({plot.relative_to(path.parent).as_posix()})" for plot in plots),
        f"## Machine\n\n{machine_list(results)}",
        PEAK,
        f"## Servers\n\n{SERVERS}",
        ISNET if isnet else "",
        served_table(results),
        *_cases(results),
        f"## Time of a response by stage\n\n{stage_table(results)}",
        f"## Masks\n\n{mask_table(results)}",
        failure_table(results),
        f"## Photos\n\n{photo_table(results)}",
    ]
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")


def _cases(results: Results) -> list[str]:
    """Write the cases: those of one size in one table, and the lists of all sizes."""
    together = {case.name: f"{case.picture} MP" for case in MATRIX}
    together |= {case.name: "lists" for case in LISTS}
    groups: dict[str, list[str]] = {}
    for case in results.cases():
        groups.setdefault(together.get(case, case), []).append(case)
    return [f"## Case: {name}\n\n{case_table(results, *cases)}" for name, cases in groups.items()]
