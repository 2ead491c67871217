"""The servers under test as the bench sees them, and which of them run."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from urllib3.filepost import encode_multipart_formdata

from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.hey import Request
from scripts.measure.kit.photos import Picture
from scripts.measure.kit.processes import ProcessTree
from scripts.torchserve.config import ServerError

BOUNDARY = "a-boundary-that-no-photo-contains-4f1d"


class Server(Protocol):
    """One that can be started, asked and ended."""

    @property
    def name(self) -> str:
        """How the cases call it."""

    def start(self) -> None:
        """Start it, and return when it answers.

        Raises:
            BenchError: it does not.
        """

    def stop(self) -> None:
        """End it, if it runs."""

    def tree(self) -> ProcessTree:
        """Return its processes."""

    def request(self, picture: Picture, options: Mapping[str, str]) -> Request:
        """Build what is sent; `options` are ``format`` and ``edges``."""


@dataclass
class Fleet:
    """All servers, of which only those run that a case needs; the rest would cost memory."""

    servers: dict[str, Server]
    running: set[str] = field(default_factory=set)
    broken: dict[str, str] = field(default_factory=dict)
    """Those that don't start, and why; they are not tried again."""

    def keep(self, names: Collection[str]) -> None:
        """End what is not named, start what is and can be."""
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


def multipart(
    folder: Path, url: str, fields: Mapping[str, str], photo: tuple[str, Path], token: str = ""
) -> Request:
    """Build a form with a photo in it; the same form is written once.

    `photo` is the name of the field and the file.
    """
    name, path = photo
    photo_part = (name, (path.name, path.read_bytes(), "image/jpeg"))
    content, content_type = encode_multipart_formdata([*fields.items(), photo_part], BOUNDARY)
    body = folder / f"{hashlib.sha256(content).hexdigest()[:16]}.form"
    if not body.exists():
        folder.mkdir(parents=True, exist_ok=True)
        body.write_bytes(content)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Request(url, headers, content_type, body)
