"""Whether a server stayed as it was: memory, handles, files, responses, workers."""

from collections import Counter
from dataclasses import dataclass
from statistics import median

from scripts.measure.soak.memory_growth import WARM_UP_MIXES, Life, lives
from scripts.measure.soak.record import Record
from scripts.measure.soak.samples import JVM, Sample

MOST_GROWTH = 0.05
# The JVM's memory is compared between the first and the last of the idle times: a quarter each,
# like the windows of workers.
SHARE_OF_IDLE = 4
FEWEST_IDLE = 4
# Handles and threads follow the connections that are open at the moment.
SLACK = 4
# Kinds of problems that are printed.
MOST_KINDS = 10
# A worker that is starting or being stopped is not lost.
GRACE_S = 15.0


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    name: str
    text: str
    good: bool


@dataclass(frozen=True)
class Verdict:
    """The results of all checks."""

    findings: list[Finding]

    @property
    def good(self) -> bool:
        """Whether all checks passed."""
        return all(finding.good for finding in self.findings)

    def __str__(self) -> str:
        return "\n".join(
            f"{'good' if each.good else 'BAD '}  {each.name}: {each.text}" for each in self.findings
        )


def judge(record: Record) -> Verdict:
    """Check a soak's record."""
    findings = [_responses(record), _workers(record)]
    living = list(lives(record))
    for life in living:
        memory = _idle_memory(record) if life.name == JVM else _memory(life)
        findings += [memory, _handles(life)]
    if not any(life.name != JVM for life in living):
        text = f"the soak was too short: no worker lived long beyond {WARM_UP_MIXES} mixes"
        findings.append(Finding("memory", text, False))
    return Verdict([*findings, _temporary(record), _logs(record)])


def _responses(record: Record) -> Finding:
    statuses = ", ".join(
        f"{count} hung up" if status == "0" else f"{count} x {status}"
        for status, count in sorted(record.statuses().items())
    )
    text = f"{record.problem_count} unexpected of {record.requests} ({statuses})"
    # Without the time, so that a repeated problem is one kind.
    kinds = Counter(problem.partition(": ")[2] for problem in record.problems)
    words = "".join(
        f"\n        {count} x {kind[:200]}" for kind, count in kinds.most_common(MOST_KINDS)
    )
    return Finding("responses", text + words, record.problem_count == 0)


def lost_workers(samples: list[Sample]) -> list[str]:
    """Return the workers that ended while their version was still served."""
    last_seen: dict[str, float] = {}
    version_seen: dict[str, float] = {}
    for sample in samples:
        last_seen |= dict.fromkeys(sample.processes, sample.at)
        version_seen |= dict.fromkeys(sample.versions, sample.at)
    return [
        name
        for name, at in last_seen.items()
        if version_seen.get(name.partition("/")[0], 0) > at + GRACE_S
    ]


def forgotten_workers(samples: list[Sample]) -> list[int]:
    """Return the processes that live, and that TorchServe has not listed for ``GRACE_S``.

    One that it lists later for the first time was starting, for longer on a busy machine.
    """
    first_listed: dict[str, float] = {}
    for sample in samples:
        for name in sample.processes:
            first_listed.setdefault(name.partition("/")[2], sample.at)
    first_seen: dict[int, float] = {}
    forgotten = set()
    for sample in samples:
        first_seen = {pid: first_seen.get(pid, sample.at) for pid in sample.unknown}
        forgotten |= {
            pid
            for pid, at in first_seen.items()
            if sample.at - at > GRACE_S and first_listed.get(str(pid), at) <= at
        }
    return sorted(forgotten)


def _workers(record: Record) -> Finding:
    lost, forgotten = lost_workers(record.samples), forgotten_workers(record.samples)
    seen = {name for sample in record.samples for name in sample.processes} - {JVM}
    replaced = f", {len(record.rollouts)} rollouts" if record.rollouts else ""
    left = f", {len(forgotten)} alive that TorchServe does not list" if forgotten else ""
    text = f"{len(lost)} of {len(seen)} lost{replaced}{left}"
    return Finding("workers", text, not lost and not forgotten)


def _memory(life: Life) -> Finding:
    before, after = (size / 2**20 for size in life.kept())
    growth = after / before - 1
    text = (
        f"keeps {before:.0f} MiB after warm-up, {after:.0f} at the end ({growth:+.1%}); "
        "at most {:.0f}, then {:.0f}".format(*(size / 2**20 for size in life.most()))
    )
    return Finding(f"memory of {life.name}", text, growth <= MOST_GROWTH)


def _idle_memory(record: Record) -> Finding:
    """Compare the JVM's idle memory in the first quarter of the idle times with the last.

    Under load its heap is as large as its garbage collector lets it be, within ``-Xmx``.
    """
    held = []
    for start, end in record.idle:
        samples = [each for each in record.samples if start <= each.at <= end]
        alone = [each for each in samples if len(each.versions) == 1 and JVM in each.processes]
        if alone:
            held.append(min(each.processes[JVM].rss for each in alone) / 2**20)
    most = max(each.processes[JVM].rss for each in record.samples if JVM in each.processes) / 2**20
    name = f"memory of {JVM}"
    if len(held) < FEWEST_IDLE:
        return Finding(name, f"the soak was too short to idle; at most {most:.0f} MiB", False)
    few = len(held) // SHARE_OF_IDLE
    before, after = median(held[:few]), median(held[-few:])
    growth = after / before - 1
    times = ", ".join(f"{each:.0f}" for each in held)
    text = (
        f"idle {before:.0f} MiB at first, {after:.0f} at last ({growth:+.1%}); "
        f"at most {most:.0f}; all idle times: {times}"
    )
    return Finding(name, text, growth <= MOST_GROWTH)


def _handles(life: Life) -> Finding:
    handles, threads = (
        life.growth(lambda sample: sample.handles),
        life.growth(lambda sample: sample.threads),
    )
    text = "handles {:.0f}, then {:.0f}; threads {:.0f}, then {:.0f}".format(*handles, *threads)
    good = all(after <= before + SLACK for before, after in (handles, threads))
    return Finding(f"handles of {life.name}", text, good)


def _temporary(record: Record) -> Finding:
    """Compare the temporary files at both ends, with one version registered."""
    single = [sample for sample in record.samples if len(sample.versions) == 1]
    if not single:
        return Finding("temporary files", "never seen with one version alone", False)
    first, last = single[0], single[-1]
    text = (
        f"{first.temporary_files} of {first.temporary_bytes / 2**20:.1f} MiB, "
        f"then {last.temporary_files} of {last.temporary_bytes / 2**20:.1f} MiB"
    )
    return Finding("temporary files", text, last.temporary_files <= first.temporary_files)


def _logs(record: Record) -> Finding:
    """Report the size of the logs. They are rotated by size, so that this is no leak."""
    if not record.samples:
        return Finding("logs", "never seen", False)
    size = record.samples[-1].log_bytes
    per_thousand = 1000 * size / max(1, record.requests)
    text = f"{size / 2**20:.1f} MiB, {per_thousand / 2**20:.2f} per thousand requests"
    return Finding("logs", text, True)
