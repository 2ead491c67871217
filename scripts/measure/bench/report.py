"""Writes BENCHMARKS.md from the results of one run."""

from collections.abc import Sequence
from pathlib import Path

from scripts.measure.bench.results import Results
from scripts.measure.bench.tables import (
    case_table,
    failure_table,
    machine_table,
    mask_table,
    peak_table,
    photo_table,
    stage_table,
    target_table,
)

INTRODUCTION = """\
# Benchmarks

`make bench{quick}` writes this file; don't edit it. All figures come from one run on one machine,
with the same weights and photos for all servers.

- **Load** comes from [hey](https://github.com/rakyll/hey) on the same machine, in a closed loop:
  each client sends its next request when it has the response.
- **Turns**: the servers take turns in each round; the others idle. Each is warmed up, and its first
  response is checked.
- **Ratios** compare two turns of one round. The tables show median and range over the rounds.
- **Rate**: responses with status 200, divided by the time to the last response.
- **Percentiles** are the median round's. With few requests p99 is the slowest.
- **CPU time and memory** (PSS) cover all processes of a server, Java included. Memory is the peak
  of a turn.
- **Others**: the largest share of all cores' time in one turn that went to processes other than the
  server and the load generator. A turn above 5 % is repeated once."""

PEERS = """\
- **rembg**: `rembg s --no-ui` with its defaults: all cores for each request, PNG by Pillow, colours
  unchanged.
- **rembg, 1 thread**: the same with `OMP_NUM_THREADS=1`, which rembg reads.
- **litserve**: rembg's library in LitServe (`litserve_server.py`), one worker per core with one
  thread. This was faster than one worker with all cores.
- **int8**, **bf16**, **fp32**: ours, `make serve PRECISION=...`, with `PROFILE=throughput` unless
  named "latency".
- **int8, BATCH_SIZE=...**, **int8, WORKERS=...**: the same with that setting. The workers share all
  cores: fewer workers have more threads.
- **article**: ours in fp32, one worker with all cores, with `.tolist()` or `.tobytes()` (rgba).

PNGs have `edges=plain`, as rembg's do, unless named "default edges"."""


def write_report(results: Results, path: Path, plots: Sequence[Path], quick: bool) -> None:
    """Write the whole report; `plots` are beside or below its folder."""
    parts = [
        INTRODUCTION.format(quick=" QUICK=1" if quick else ""),
        f"## Machine\n\n{machine_table(results)}",
        f"## Servers\n\n{PEERS}",
        f"## Targets\n\n{target_table(results)}",
        *(f"![{plot.stem}]({plot.relative_to(path.parent).as_posix()})" for plot in plots),
        f"## The machine's own peak\n\n{peak_table(results)}",
        *(f"## Case: {case}\n\n{case_table(results, case)}" for case in results.cases()),
        f"## Time of a response by stage\n\n{stage_table(results)}",
        f"## Masks\n\n{mask_table(results)}",
        failure_table(results),
        f"## Photos\n\n{photo_table(results.pictures)}",
    ]
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
