"""The servers under test, and which of them run."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.photos import Picture
from scripts.measure.kit.processes import ProcessTree
from scripts.measure.kit.request import Request
from scripts.torchserve.config import ServerError


class Server(Protocol):
    """A server that can be started, measured and stopped."""

    @property
    def name(self) -> str:
        """Its name in the cases."""

    def start(self) -> None:
        """Start it, and return when it responds.

        Raises:
            BenchError: it does not.
        """

    def stop(self) -> None:
        """Stop it, if it runs."""

    def tree(self) -> ProcessTree:
        """Return its processes."""

    def request(self, picture: Picture, options: Mapping[str, str]) -> Request:
        """Build a request; `options` are ``format`` and ``edges``."""


@dataclass
class Fleet:
    """All servers. Only those run that a case needs: the others would take memory."""

    servers: dict[str, Server]
    running: set[str] = field(default_factory=set)
    broken: dict[str, str] = field(default_factory=dict)
    """Servers that did not start, with the reason; they are not started again."""

    def keep(self, names: Collection[str]) -> None:
        """Stop the servers that are not named, start those that are."""
        for name in sorted(self.running - set(names)):
            self.servers[name].stop()
            self.running.remove(name)
        for name in dict.fromkeys(names):
            if name in self.running or name in self.broken:
                continue
            print(f"starting {name}", flush=True)
            try:
                self.servers[name].start()
            except (BenchError, ServerError) as error:
                self.broken[name] = str(error)
                print(f"{name} is left out: {error}", flush=True)
            else:
                self.running.add(name)
