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
- **Rounds**: the servers take turns; the others idle. Tables show the median (range). A ratio
  compares two turns of one round.
- **requests/s**: responses with status 200, divided by the time to the last response.
- **p50, p95, p99** are the median round's. With few requests p99 is the slowest.
- **MB** is the size of a response, **CPU s** the CPU time for a picture.
- **CPU s** and **memory** (peak of PSS) cover all processes of a server, Java included.
- **others**: the largest share of all cores' time that other processes took during a turn. A turn
  above 0.05 is repeated once."""

TARGETS = """\
Measured at 1.5 MP with 4 clients, except 12 MP with 2 clients, p50 with 1 client and
`PROFILE=latency`, and lists with 1 client. For the share of the peak, responses are raw. u2net has
{operations:.1f} GOP per picture: 2 operations for each multiply-add of its convolutions. In float32
minimal filtering needs fewer, so the share can exceed 1."""

PEAK = """\
The peak is that of square matrix products of 2048 in torch on all cores: the best of several
samples before and after the run."""

SERVERS = """\
- **rembg**: `rembg s --no-ui` with its defaults: all cores for each request.
- **rembg, 1 thread**: the same with `OMP_NUM_THREADS=1`.
- **litserve**: rembg's library in LitServe, one worker per core with one thread. This was faster
  than one worker with all cores.
- **int8**, **bf16**, **fp32**, **auto**: ours, `make serve PRECISION=...`; **latency**: with
  `PROFILE=latency`.
- **int8, WORKERS=...**: fewer workers have more threads each.
- **article**: ours in fp32, one worker with all cores, with `.tolist()` or `.tobytes()` (rgba).

PNGs have `edges=plain`, as rembg's do, unless named "default edges"."""

ISNET = """\
**isnet** is ours with IS-Net. **rembg, isnet-general-use** has the same weights, converted back to
32 bits."""


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
