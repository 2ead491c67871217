"""What else keeps the machine busy while a server is measured."""

import os
import time

import psutil

from scripts.measure.kit.processes import ProcessTree

# Of all cores: above, a turn tells more of the others than of the server.
MOST = 0.05


class OtherLoad:
    """The cores' time since its making that neither a server nor this process took."""

    def __init__(self, tree: ProcessTree) -> None:
        self._tree = tree
        self._start = time.monotonic(), self._others_s()

    def seconds(self) -> float:
        """Return it in seconds; what a host takes from a virtual machine is part of it."""
        return max(0.0, self._others_s() - self._start[1])

    def share(self) -> float:
        """Return it as a share of all cores' time."""
        wall = time.monotonic() - self._start[0]
        return self.seconds() / (wall * (psutil.cpu_count() or 1))

    def _others_s(self) -> float:
        times = psutil.cpu_times()
        busy = sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
        # What it started counts too: the load generator.
        own = sum(os.times()[:4])
        return busy - own - self._tree.cpu_s()
