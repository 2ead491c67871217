import subprocess
import sys

import psutil
import pytest

from scripts.measure.kit.other_load import OtherLoad
from scripts.measure.kit.processes import ProcessTree

# Half a second of a core, when it is told.
BUSY = """\
import time
input()
start = time.process_time()
while time.process_time() < start + 0.5: pass
print(flush=True)
input()"""
IDLE = "input()"


def started(program: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe)


def test_what_is_not_the_servers_is_others() -> None:
    with started(BUSY) as busy, started(IDLE) as idle:
        assert busy.stdin is not None
        assert busy.stdout is not None
        served, not_served = (
            OtherLoad(ProcessTree(psutil.Process(each.pid))) for each in (busy, idle)
        )

        busy.stdin.write(b"\n")
        busy.stdin.flush()
        busy.stdout.readline()
        beside_idle, beside_busy = not_served.seconds(), served.seconds()

        for each in (busy, idle):
            each.communicate(b"\n")

    # Whatever else the machine did meanwhile is in both.
    assert beside_idle >= 0.4
    assert beside_idle - beside_busy == pytest.approx(0.5, abs=0.2)
