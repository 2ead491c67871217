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

Written by `make bench{quick}`; don't edit. One machine, one run, the same weights and photos for
all.

The servers take turns, round by round; only one is under load at a time, the others are idle. A
ratio is of two turns of the same round; the tables give its median and range over the rounds. Load
comes from [hey](https://github.com/rakyll/hey) on the same machine, in a closed loop: each client
sends its next request when it has the response. A rate is the number of responses with status 200
over the time to the last response; percentiles are the median round's, and with few requests p99 is
the slowest. CPU time and memory (PSS) are those of all of a server's processes, Java included;
memory is the peak of a turn. Each server is warmed up first, and its first response is checked.
"others" is the largest share of all cores' time that other processes than the server and the load
generator took in one turn; a turn with more than a twentieth is repeated once."""

PEERS = """\
- **rembg**: `rembg s --no-ui`, all cores for each request, as by default. PNG by Pillow, colours
  left as they are. **rembg, 1 thread**: the same with `OMP_NUM_THREADS=1`, which it reads.
- **litserve**: rembg's library in LitServe, a worker a core, one thread each, which was faster than
  one worker with all cores (`litserve_server.py`).
- **int8**, **bf16**, **fp32**: ours, `make serve PRECISION=...`, with `PROFILE=throughput` unless
  named "latency".
- **rembg, isnet-general-use**, **isnet int8**, ...: the same with IS-Net, if `make weights
  MODEL=isnet` fetched its weights; for rembg they are put back into 32 bits.
- **int8, BATCH_SIZE=...**, **int8, WORKERS=...**: the same with that setting; the workers share all
  cores, so that fewer workers have more threads.
- **article**: ours in fp32, one worker with all cores, with `.tolist()` or `.tobytes()` (rgba).

PNG has `edges=plain`, which is what rembg does, unless named "default edges"."""


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
