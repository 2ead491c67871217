"""What TorchServe can leave of a version that it has removed: its workers, and its unpacked files.

It fails on a job that is in progress at that moment (``BatchAggregator.sendError``); the calls that
pause workers (``lifecycle/pause_workers.py``) are such jobs. The version is off its list by then,
so that nothing ever removes the rest: a worker may live on unknown, and 90 MB of files stay as long
as the server runs.
"""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from scripts.torchserve.config import ServerConfig

# TorchServe gives a worker a few seconds to end.
END_S = 10.0


@dataclass
class VersionLeftovers:
    """A version's workers and the folders that they run in; of those that TorchServe unpacked."""

    processes: list[psutil.Process] = field(default_factory=list)
    folders: set[Path] = field(default_factory=set)

    @classmethod
    def of(cls, config: ServerConfig, pids: Iterable[int]) -> "VersionLeftovers":
        """Look at the workers, while the version is registered."""
        leftovers = cls()
        unpacked = config.unpacked.resolve()
        for pid in pids:
            # It has ended, or TorchServe reports -1 for one that has not begun.
            with suppress(psutil.Error, ValueError):
                process = psutil.Process(pid)
                folder = Path(process.cwd())
                # A model that was registered as a folder is a link: that folder stays.
                if folder.parent == unpacked:
                    leftovers.processes.append(process)
                    leftovers.folders.add(folder)
        return leftovers

    def remove(self) -> None:
        """End what is still there some seconds after the version was removed, and nothing else."""
        _, living = psutil.wait_procs(self.processes, timeout=END_S)
        for process in living:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(living, timeout=END_S)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)
