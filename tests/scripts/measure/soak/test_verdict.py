from dataclasses import replace

import pytest

from scripts.measure.kit.processes import ProcessSample
from scripts.measure.soak.client import Outcome
from scripts.measure.soak.record import Record
from scripts.measure.soak.verdict import forgotten_workers, judge, lost_workers
from tests.scripts.measure.soak.samples import SECONDS, WORKER, soaked, steady


def bad(record: Record) -> list[str]:
    return [finding.name for finding in judge(record).findings if not finding.good]


def test_a_server_that_stays_as_it_was_is_good() -> None:
    assert bad(soaked()) == []
    assert judge(soaked()).good


def test_what_a_worker_takes_while_it_warms_up_is_no_growth() -> None:
    def warms(at: float) -> ProcessSample:
        return replace(steady(at), rss=min(500, 200 + int(2 * at)) << 20)

    assert bad(soaked(worker=warms)) == []


@pytest.mark.parametrize(("growth", "found"), [(0.03, []), (0.08, [f"memory of {WORKER}"])])
def test_memory_may_grow_by_a_twentieth(growth: float, found: list[str]) -> None:
    def grows(at: float) -> ProcessSample:
        return replace(steady(at), rss=int((500 << 20) * (1 + growth * at / SECONDS * 2)))

    # Between the middles of the two windows lie 0.45 of the soak, so that it grows by some 0.9.
    assert bad(soaked(worker=grows)) == found


def test_a_leak_in_the_jvm_is_found() -> None:
    def leaks(at: float) -> ProcessSample:
        return replace(steady(at), rss=(300 + int(at)) << 20, handles=100 + int(at / 10))

    assert bad(soaked(jvm=leaks)) == ["memory of JVM", "handles of JVM"]


def test_an_unexpected_response_is_reported() -> None:
    record = soaked()
    record.add_outcomes(600, [Outcome("png", 600, 1, 500, "500 instead of 200")])

    assert bad(record) == ["responses"]
    assert "1 x png: 500 instead of 200" in str(judge(record))


def test_a_worker_that_ends_while_its_version_is_served_is_lost() -> None:
    record = soaked()
    alone = [
        replace(each, processes={name: p for name, p in each.processes.items() if name != WORKER})
        for each in record.samples[300:]
    ]
    record.samples[300:] = alone
    replaced = [replace(each, versions=["1.1"]) for each in alone]

    assert lost_workers(record.samples) == [WORKER]
    assert lost_workers(record.samples[:300] + replaced) == []
    assert "workers" in bad(record)


def test_a_worker_that_torchserve_has_forgotten_is_found() -> None:
    record = soaked()
    # One that starts, and one that lives on.
    for at, sample in enumerate(record.samples[100:140]):
        sample.unknown.extend([7] * (at < 10) + [8])

    assert forgotten_workers(record.samples) == [8]
    assert bad(record) == ["workers"]
    assert "1 alive" in str(judge(record))


def test_a_worker_that_starts_slowly_is_not_forgotten() -> None:
    record = soaked()
    for sample in record.samples[100:140]:
        sample.unknown.append(7)
    record.samples[140].processes["1.0/7"] = record.samples[140].processes[WORKER]

    assert forgotten_workers(record.samples) == []


def test_a_worker_that_is_listed_again_was_forgotten() -> None:
    record = soaked()
    for number in (99, 140):
        record.samples[number].processes["1.0/7"] = record.samples[number].processes[WORKER]
    for sample in record.samples[100:140]:
        sample.unknown.append(7)

    assert forgotten_workers(record.samples) == [7]


def test_the_jvm_is_judged_by_what_it_mostly_holds_while_it_idles() -> None:
    """Of nine idle times two are compared at either end: one high value is no growth."""

    def peaks(at: float) -> ProcessSample:
        return replace(steady(at), rss=(900 if 420 <= at < 500 else 500) << 20)

    def grows(at: float) -> ProcessSample:
        return replace(steady(at), rss=(560 if at > 450 else 500) << 20)

    assert "memory of JVM" not in bad(soaked(jvm=peaks))
    assert bad(soaked(jvm=grows)) == ["memory of JVM"]


def test_a_short_life_is_not_judged() -> None:
    """Its samples are a second apart: of each window 60 are due, so 240 after its warm-up."""

    def names(seconds: int) -> list[str]:
        return [finding.name for finding in judge(soaked(seconds=seconds)).findings]

    assert f"memory of {WORKER}" in names(240 + 250)
    assert f"memory of {WORKER}" not in names(240 + 220)


def test_temporary_files_that_stay_are_found() -> None:
    record = soaked()
    record.samples[-1] = replace(record.samples[-1], temporary_files=321)

    assert bad(record) == ["temporary files"]


def test_too_short_a_soak_proves_nothing() -> None:
    assert "memory" in bad(soaked(seconds=240))
