import os
import subprocess
import sys

from scripts.lifecycle.process_stats import stats_of


def test_a_process_is_measured_and_a_dead_one_left_out() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()

    stats = stats_of([os.getpid(), done.pid, -1])

    assert stats.keys() == {os.getpid()}
    own = stats[os.getpid()]
    assert own.memory_mib > 10
    assert set(own.cpus) == os.sched_getaffinity(0)
    assert own.pid == os.getpid()
