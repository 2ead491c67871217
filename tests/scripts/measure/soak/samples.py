"""A synthetic soak for the tests of its record, its verdict and its plot."""

from collections.abc import Callable

from scripts.measure.kit.processes import ProcessSample
from scripts.measure.soak.client import Outcome
from scripts.measure.soak.record import WINDOW_S, Record
from scripts.measure.soak.samples import JVM, Sample

SECONDS = 600
WORKER = "1.0/11"

Held = Callable[[float], ProcessSample]


def steady(at: float) -> ProcessSample:
    return ProcessSample(500 << 20, 400 << 20, 30, 12)


def soaked(jvm: Held = steady, worker: Held = steady, seconds: int = SECONDS) -> Record:
    """Ten minutes with one worker: a sample a second, a mix a minute, ten responses a window."""
    record = Record("2030-01-01", {"CPU": "one"}, 4, 10, float(seconds))
    for at in range(seconds):
        processes = {JVM: jvm(at), WORKER: worker(at)}
        record.samples.append(Sample(at, processes, ["1.0"], 320, 90 << 20, at * 1000))
    record.idle = [(at, at + 20.0) for at in range(60, seconds, 60)]
    record.mixes = [float(at) for at in range(60, seconds, 60)]
    for start in range(0, seconds, int(WINDOW_S)):
        outcomes = [Outcome(f"request {n}", start + n, 0.1 * (n + 1), 200) for n in range(10)]
        record.add_outcomes(float(start), outcomes)
    return record
