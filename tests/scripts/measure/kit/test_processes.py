import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from scripts.measure.kit.processes import OtherLoad, ProcessTree, peak_memory

# A parent of no work, and its child: 64 MB of its own, and some CPU time.
CHILD = "x = bytearray(b'x') * 2**26; sum(range(3_000_000)); print(flush=True); input()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}, 'named-child'])"

# Takes half a second of a core, once it has a line of input.
BUSY = """\
import time
input()
start = time.process_time()
while time.process_time() < start + 0.5: pass
print(flush=True)
input()"""
IDLE = "input()"


@pytest.fixture
def tree() -> Iterator[ProcessTree]:
    pipe = subprocess.PIPE
    with psutil.Popen([sys.executable, "-c", PARENT], stdin=pipe, stdout=pipe) as parent:
        parent.stdout.readline()
        found = ProcessTree(parent)
        yield found
        if parent.is_running():
            found.end()


def test_a_childs_cpu_time_counts(tree: ProcessTree) -> None:
    assert tree.cpu_s() >= tree.cpu_s("named-child") > 0
    assert tree.cpu_s("no such program") == 0


def test_a_childs_memory_counts(tree: ProcessTree) -> None:
    with peak_memory(tree) as peak:
        pass

    assert peak.pss_bytes > 2**26


def test_a_process_that_ends_while_it_is_read_is_left_out(tree: ProcessTree) -> None:
    (child,) = tree.root.children()

    def ended_first(process: psutil.Process) -> int:
        if process == child:
            process.kill()
            psutil.wait_procs([process], timeout=15)
        return int(process.memory_full_info().pss)

    assert len(list(tree.each(ended_first))) == 1


def test_the_whole_family_ends(tree: ProcessTree) -> None:
    family = [tree.root, *tree.root.children(recursive=True)]

    tree.end()

    assert len(family) == 2
    assert not any(process.is_running() for process in family[:1])
    assert all(
        not process.is_running() or process.status() == psutil.STATUS_ZOMBIE for process in family
    )


def started(program: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe)


def test_what_is_not_the_servers_is_others() -> None:
    with started(BUSY) as busy, started(IDLE) as idle:
        assert busy.stdin is not None
        assert busy.stdout is not None
        # Of the whole machine, over a longer and over a shorter time than beside the busy one.
        longer = OtherLoad(ProcessTree(psutil.Process(idle.pid)))
        served = OtherLoad(ProcessTree(psutil.Process(busy.pid)))
        shorter = OtherLoad(ProcessTree(psutil.Process(idle.pid)))

        busy.stdin.write(b"\n")
        busy.stdin.flush()
        busy.stdout.readline()
        least, beside_busy, most = shorter.seconds(), served.seconds(), longer.seconds()

        for each in (busy, idle):
            each.communicate(b"\n")

    # Whatever else the machine did meanwhile is in all of them.
    assert least >= 0.4
    assert least - beside_busy < 0.7
    assert most - beside_busy > 0.3
