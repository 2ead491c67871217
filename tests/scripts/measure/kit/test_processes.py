import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from scripts.measure.kit.processes import ProcessTree, peak_memory

# A parent of no work, and its child: 64 MB of its own, and some CPU time.
CHILD = "x = bytearray(b'x') * 2**26; sum(range(3_000_000)); print(flush=True); input()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}, 'named-child'])"


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
    assert tree.cpu_s("nobody is called so") == 0


def test_a_childs_memory_counts(tree: ProcessTree) -> None:
    with peak_memory(tree) as peak:
        pass

    assert peak.pss_bytes > 2**26


def test_the_whole_family_ends(tree: ProcessTree) -> None:
    family = [tree.root, *tree.root.children(recursive=True)]

    tree.end()

    assert len(family) == 2
    assert not any(process.is_running() for process in family[:1])
    assert all(
        not process.is_running() or process.status() == psutil.STATUS_ZOMBIE for process in family
    )
