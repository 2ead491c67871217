"""How one command line has its pictures cut out; safe to share among threads."""

import time
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Protocol

from u2net_cutout.cli.messages import print_message
from u2net_cutout.cli.outputs import OutputExists, write_whole
from u2net_cutout.cli.sources import Job
from u2net_cutout.client.errors import printable
from u2net_cutout.client.responses import Cutout
from u2net_cutout.client.service import CutoutService
from u2net_cutout.contract.formats import OutputFormat


class StoppableService(CutoutService, Protocol):
    """A server, or processes with an archive."""

    stopping: Event
    """Once set, no other picture is sent."""


@dataclass(frozen=True)
class Traffic:
    """Bytes of pictures sent and received, and what they would be if whole pictures were sent."""

    sent: int = 0
    received: int = 0
    whole_sent: int = 0
    whole_received: int = 0

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(
            self.sent + other.sent,
            self.received + other.received,
            self.whole_sent + other.whole_sent,
            self.whole_received + other.whole_received,
        )

    def __str__(self) -> str:
        saved = self.whole_sent + self.whole_received - self.sent - self.received
        return (
            f"sent {self.sent / 1e6:.2f} MB instead of {self.whole_sent / 1e6:.2f}, received "
            f"{self.received / 1e6:.2f} MB instead of {self.whole_received / 1e6:.2f}: "
            f"{saved / 1e6:.2f} MB saved"
        )


@dataclass
class Cutter:
    """What cuts out, and the options of each picture."""

    client: StoppableService
    fields: dict[str, str]
    """The server's options, the format among them."""
    background: bytes | None = None
    local: bool = False
    """Whether only a small copy is sent, and the picture is cut out here."""
    force: bool = False
    verbose: bool = False
    """Whether each file that is written is printed."""
    traffic: Traffic = field(default_factory=Traffic)
    _lock: Lock = field(default_factory=Lock)

    @property
    def output_format(self) -> OutputFormat:
        """The format of the cutouts; `rgba` unless another was set."""
        return OutputFormat(self.fields.get("format", OutputFormat.RGBA.value))

    def default_format(self, default: OutputFormat) -> OutputFormat:
        """Set a format, unless one was chosen; return which it is."""
        self.fields.setdefault("format", default.value)
        return self.output_format

    def report_traffic(self) -> None:
        """Print what small copies saved, where they were sent."""
        if self.local:
            print_message(str(self.traffic))

    def cut_out(self, picture: bytes) -> Cutout:
        """Return the cutout of a picture.

        Raises:
            ClientError: there is none.
        """
        if not self.local:
            return self.client.cut_out(picture, self.fields, self.background)
        # With NumPy and the decoders, which take longer to load than all the rest.
        from u2net_cutout.client.local_composite import composite

        made = composite(self.client, picture, self.fields)
        with self._lock:
            self.traffic += Traffic(
                made.sent, made.received, len(picture), len(made.cutout.content)
            )
        return made.cutout

    def replaces(self, job: Job) -> bool:
        """Whether the cutout replaces a file that exists."""
        return self.force or job.replaces

    def do(self, job: Job) -> None:
        """Write the cutout of a picture to its file.

        Raises:
            ClientError, OSError: the picture can't be read or cut out, or the file not be written.
        """
        replaces = self.replaces(job)
        if not replaces and (existing := job.existing()):
            raise OutputExists(existing)
        began = time.monotonic()
        cutout = self.cut_out(job.source.read_bytes())
        target = job.target_as(cutout.output_format)
        write_whole(target, cutout.content, force=replaces)
        if self.verbose:
            seconds = time.monotonic() - began
            print_message(
                printable(f"wrote {target} ({len(cutout.content) / 1e3:.0f} kB) in {seconds:.1f} s")
            )
