"""The folders into which TorchServe has unpacked its models, some of which it forgets.

It removes a version's folder as the last step of removing the version. Where it stumbles before
that (``BatchAggregator.sendError``, over a job that comes just then), the version is gone and its
folder, some 90 MB, stays for as long as the server runs.
"""

import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from server_config import ServerConfig


def folders_of(config: ServerConfig, processes: Iterable[int]) -> set[Path]:
    """Return the folders that workers run in, of those that TorchServe has unpacked."""
    unpacked = config.unpacked.resolve()
    folders = set()
    for process in processes:
        # It has ended, or TorchServe tells -1 of one that has not begun.
        with suppress(psutil.Error, ValueError):
            folder = Path(psutil.Process(process).cwd())
            # A model that was registered as a folder is linked to: that is somebody's own.
            if folder.parent == unpacked:
                folders.add(folder)
    return folders


def remove_forgotten(folders: Collection[Path]) -> None:
    """Remove those that are still there, once their version is not registered any more."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
