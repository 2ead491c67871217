"""Whether a server stayed as it was: memory, handles, files, answers, workers."""

from collections import Counter
from dataclasses import dataclass
from statistics import median

from scripts.measure.soak.memory_growth import WARM_UP_DECKS, Life, lives
from scripts.measure.soak.record import Record
from scripts.measure.soak.samples import JVM, Sample

MOST_GROWTH = 0.05
# The JVM's rests that are compared, as a share of all at either end: as the windows of workers.
SHARE_OF_RESTS = 4
FEWEST_RESTS = 4
# Handles and threads follow the connections that are open at the moment.
SLACK = 4
# Of problems, in words.
MOST_KINDS = 10
# What unpacks a version, or is being ended, is not lost.
GRACE_S = 15.0


@dataclass(frozen=True)
class Finding:
    """One thing that was judged."""

    name: str
    told: str
    good: bool


@dataclass(frozen=True)
class Verdict:
    """All of them."""

    findings: list[Finding]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.good for finding in self.findings)

    def __str__(self) -> str:
        return "\n".join(
            f"{'good' if each.good else 'BAD '}  {each.name}: {each.told}" for each in self.findings
        )


def judge(record: Record) -> Verdict:
    """Judge a soak."""
    findings = [_answers(record), _workers(record)]
    living = list(lives(record))
    for life in living:
        memory = _idle_memory(record) if life.name == JVM else _memory(life)
        findings += [memory, _handles(life)]
    if not any(life.name != JVM for life in living):
        told = f"the soak was too short: no worker lived long beyond {WARM_UP_DECKS} decks"
        findings.append(Finding("memory", told, False))
    return Verdict([*findings, _temporary(record), _logs(record)])


def _answers(record: Record) -> Finding:
    statuses = ", ".join(
        f"{count} left" if status == "0" else f"{count} x {status}"
        for status, count in sorted(record.statuses().items())
    )
    told = f"{record.problem_count} unexpected of {record.requests} ({statuses})"
    # Without the moment, so that one that comes again and again is told once.
    kinds = Counter(problem.partition(": ")[2] for problem in record.problems)
    words = "".join(
        f"\n        {count} x {kind[:200]}" for kind, count in kinds.most_common(MOST_KINDS)
    )
    return Finding("answers", told + words, record.problem_count == 0)


def lost_workers(samples: list[Sample]) -> list[str]:
    """Return the workers that ended while their version was served on."""
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
    """Return the processes that live, and of which TorchServe has not told for long."""
    first_seen: dict[int, float] = {}
    forgotten = set()
    for sample in samples:
        first_seen = {pid: first_seen.get(pid, sample.at) for pid in sample.unknown}
        forgotten |= {pid for pid, at in first_seen.items() if sample.at - at > GRACE_S}
    return sorted(forgotten)


def _workers(record: Record) -> Finding:
    lost, forgotten = lost_workers(record.samples), forgotten_workers(record.samples)
    seen = {name for sample in record.samples for name in sample.processes} - {JVM}
    replaced = f", {len(record.rollouts)} rollouts" if record.rollouts else ""
    left = f", {len(forgotten)} live on that nobody knows of" if forgotten else ""
    told = f"{len(lost)} of {len(seen)} lost{replaced}{left}"
    return Finding("workers", told, not lost and not forgotten)


def _memory(life: Life) -> Finding:
    before, after = (size / 2**20 for size in life.kept())
    growth = after / before - 1
    told = (
        f"keeps {before:.0f} MiB after warm-up, {after:.0f} at the end ({growth:+.1%}); "
        "at most {:.0f}, then {:.0f}".format(*(size / 2**20 for size in life.most()))
    )
    return Finding(f"memory of {life.name}", told, growth <= MOST_GROWTH)


def _idle_memory(record: Record) -> Finding:
    """Compare what the JVM holds at rest, in the first quarter of the rests and in the last.

    While it works its heap is as large as its garbage collector likes, within ``-Xmx``.
    """
    held = []
    for start, end in record.rests:
        rested = [each for each in record.samples if start <= each.at <= end]
        alone = [each for each in rested if len(each.versions) == 1 and JVM in each.processes]
        if alone:
            held.append(min(each.processes[JVM].rss for each in alone) / 2**20)
    most = max(each.processes[JVM].rss for each in record.samples if JVM in each.processes) / 2**20
    name = f"memory of {JVM}"
    if len(held) < FEWEST_RESTS:
        return Finding(name, f"the soak was too short to rest; at most {most:.0f} MiB", False)
    few = len(held) // SHARE_OF_RESTS
    before, after = median(held[:few]), median(held[-few:])
    growth = after / before - 1
    rests = ", ".join(f"{each:.0f}" for each in held)
    told = (
        f"idle {before:.0f} MiB in the first rests, {after:.0f} in the last ({growth:+.1%}); "
        f"at most {most:.0f}; all rests: {rests}"
    )
    return Finding(name, told, growth <= MOST_GROWTH)


def _handles(life: Life) -> Finding:
    handles, threads = (
        life.growth(lambda sample: sample.handles),
        life.growth(lambda sample: sample.threads),
    )
    told = "handles {:.0f}, then {:.0f}; threads {:.0f}, then {:.0f}".format(*handles, *threads)
    good = all(after <= before + SLACK for before, after in (handles, threads))
    return Finding(f"handles of {life.name}", told, good)


def _temporary(record: Record) -> Finding:
    """Compare the temporary files at both ends, with one version registered."""
    single = [sample for sample in record.samples if len(sample.versions) == 1]
    if not single:
        return Finding("temporary files", "never seen with one version alone", False)
    first, last = single[0], single[-1]
    told = (
        f"{first.temporary_files} of {first.temporary_bytes / 2**20:.1f} MiB, "
        f"then {last.temporary_files} of {last.temporary_bytes / 2**20:.1f} MiB"
    )
    return Finding("temporary files", told, last.temporary_files <= first.temporary_files)


def _logs(record: Record) -> Finding:
    """Tell what the logs take: they are cut by size, so that this is no leak."""
    if not record.samples:
        return Finding("logs", "never seen", False)
    size = record.samples[-1].log_bytes
    per_thousand = 1000 * size / max(1, record.requests)
    told = f"{size / 2**20:.1f} MiB, {per_thousand / 2**20:.2f} per thousand requests"
    return Finding("logs", told, True)
