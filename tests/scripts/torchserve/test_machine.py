import os
from pathlib import Path

import pytest

from scripts.torchserve.machine import Machine, cpu_quotas, memory_left, physical_cores


def put(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def siblings(root: Path, **lists: str) -> None:
    folder = "sys/devices/system/cpu"
    told = {f"{folder}/{cpu}/topology/thread_siblings_list": each for cpu, each in lists.items()}
    put(root, **told)


def test_siblings_are_one_core(tmp_path: Path) -> None:
    siblings(tmp_path, cpu0="0,4", cpu1="1,5", cpu4="0,4", cpu5="1,5")

    assert physical_cores(tmp_path, {0, 1, 4, 5}) == ((0, 4), (1, 5))


def test_siblings_may_be_told_as_a_range(tmp_path: Path) -> None:
    siblings(tmp_path, cpu0="0-1", cpu1="0-1", cpu2="2-3", cpu3="2-3")

    assert physical_cores(tmp_path, {0, 1, 2, 3}) == ((0, 1), (2, 3))


def test_only_usable_cpus_count(tmp_path: Path) -> None:
    siblings(tmp_path, cpu0="0,4", cpu1="1,5", cpu4="0,4", cpu5="1,5")

    assert physical_cores(tmp_path, {4, 5, 1}) == ((1, 5), (4,))


def test_untold_each_cpu_is_a_core(tmp_path: Path) -> None:
    assert physical_cores(tmp_path, {2, 0}) == ((0,), (2,))


def test_every_group_above_limits_the_time_too(tmp_path: Path) -> None:
    put(
        tmp_path,
        **{
            "proc/self/cgroup": "0::/pod/box",
            "sys/fs/cgroup/pod/box/cpu.max": "max 100000",
            "sys/fs/cgroup/pod/cpu.max": "150000 100000",
            "sys/fs/cgroup/cpu.max": "400000 100000",
        },
    )

    assert list(cpu_quotas(tmp_path)) == [1.5, 4]


def test_a_container_may_see_its_own_group_as_the_outermost(tmp_path: Path) -> None:
    put(
        tmp_path,
        **{
            "proc/self/cgroup": "0::/docker/0123",
            "sys/fs/cgroup/cpu.max": "200000 100000",
        },
    )

    assert list(cpu_quotas(tmp_path)) == [2]


@pytest.mark.parametrize(("quota", "expected"), [("250000", [2.5]), ("-1", [])])
def test_version_1_has_a_folder_for_each_controller(
    tmp_path: Path, quota: str, expected: list[float]
) -> None:
    put(
        tmp_path,
        **{
            "proc/self/cgroup": "5:memory:/box\n4:cpu,cpuacct:/box\n1:name=systemd:/box",
            "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": quota,
            "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000",
        },
    )

    assert list(cpu_quotas(tmp_path)) == expected


def test_memory_is_what_is_left_below_each_limit_without_idle_cache(tmp_path: Path) -> None:
    put(
        tmp_path,
        **{
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/memory.max": "1000",
            "sys/fs/cgroup/memory.current": "700",
            "sys/fs/cgroup/memory.stat": "anon 400\ninactive_file 200",
        },
    )

    assert list(memory_left(tmp_path)) == [500]


def test_memory_without_a_limit_is_not_told(tmp_path: Path) -> None:
    put(
        tmp_path,
        **{
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/memory.max": "max",
            "sys/fs/cgroup/memory.current": "700",
            "sys/fs/cgroup/memory.stat": "inactive_file 200",
        },
    )

    assert list(memory_left(tmp_path)) == []


def test_without_control_groups_nothing_limits(tmp_path: Path) -> None:
    assert list(cpu_quotas(tmp_path)) == list(memory_left(tmp_path)) == []


def test_this_machine_has_the_cpus_of_this_process() -> None:
    machine = Machine.here()

    assert {cpu for core in machine.cores for cpu in core} == os.sched_getaffinity(0)
    assert machine.memory > 0
