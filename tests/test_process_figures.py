import os
import subprocess
import sys

from process_figures import figures_of


def test_a_process_is_told_in_words_and_a_dead_one_is_not() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()

    figures = figures_of([os.getpid(), done.pid, -1])

    age, memory, share, process, cpus = figures[os.getpid()]
    assert age.endswith(" old")
    assert int(memory.removesuffix(" MiB")) > 10
    assert share.endswith(" % of a core")
    assert process == f"process {os.getpid()}"
    assert cpus.startswith("on CPU ")
    assert figures[done.pid] == figures[-1] == ()
