"""Where the files of one TorchServe are."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ServerPaths:
    """The files of one server on this machine, known by its inference port."""

    port: int
    servers: Path
    """Folder that holds a folder for each server."""
    store: Path
    """Folder of the archives; nothing is written there, and it may be read-only."""

    @property
    def folder(self) -> Path:
        """Everything that this server writes: configuration, tokens, logs, unpacked models."""
        return self.servers / str(self.port)

    @property
    def properties_file(self) -> Path:
        """What TorchServe is started with."""
        return self.folder / "config.properties"

    @property
    def key_file(self) -> Path:
        """Where TorchServe writes its tokens."""
        return self.folder / "key_file.json"

    @property
    def key_lock(self) -> Path:
        """What a command locks while it renews a token."""
        return self.folder / "key_file.lock"

    @property
    def draining_file(self) -> Path:
        """There while the server drains: the gateway in front sends it nothing new.

        A locked server can't refuse requests by itself.
        """
        return self.folder / "draining"

    @property
    def temporary(self) -> Path:
        """Where it unpacks models and opens the workers' sockets."""
        return self.folder / "tmp"

    @property
    def unpacked(self) -> Path:
        """Where each model has a folder, unpacked."""
        return self.temporary / "models"

    @property
    def workflow_store(self) -> Path:
        """Where TorchServe looks for workflows: an empty folder."""
        return self.folder / "no-workflows"

    @property
    def logs(self) -> Path:
        """Folder of its logs."""
        return self.folder / "logs"

    @property
    def holds(self) -> Path:
        """Where a command asks a worker to pause, see ``u2net_cutout/worker/pause.py``."""
        return self.temporary / "holds"

    @property
    def empty_model(self) -> Path:
        """The model without workers that ``lifecycle/maintenance.py`` closes others with."""
        return self.folder / "closed"
