"""A picture's cutout, as one command line wants all of them; safe to share among threads."""

import sys
from dataclasses import dataclass, field
from threading import Lock

from u2net_cutout.client.cli.outputs import OutputExists, write_whole
from u2net_cutout.client.cli.sources import Job
from u2net_cutout.client.client import CutoutClient
from u2net_cutout.client.errors import ClientError
from u2net_cutout.client.responses import Answer
from u2net_cutout.client.traffic import Traffic
from u2net_cutout.contract.formats import CONTENT_TYPES, OutputFormat

FORMATS = {kind: output_format for output_format, kind in CONTENT_TYPES.items()}


@dataclass
class Cutter:
    """A server and what is asked of it for each picture."""

    client: CutoutClient
    fields: dict[str, str]
    """The server's options, the format among them."""
    background: bytes | None = None
    at_home: bool = False
    """Whether only a small copy is sent."""
    force: bool = False
    traffic: Traffic = field(default_factory=Traffic)
    _lock: Lock = field(default_factory=Lock)

    @property
    def output_format(self) -> OutputFormat:
        """What is asked for; `rgba` unless something else was."""
        return OutputFormat(self.fields.get("format", OutputFormat.RGBA.value))

    def ask_for_format(self, otherwise: OutputFormat) -> OutputFormat:
        """Ask for a format, unless one was chosen; return which it is."""
        self.fields.setdefault("format", otherwise.value)
        return self.output_format

    def tell_traffic(self) -> None:
        """Tell what was saved, where something was to be."""
        if self.at_home:
            print(self.traffic, file=sys.stderr)

    def cut_out(self, picture: bytes) -> Answer:
        """Return the cutout of a picture.

        Raises:
            ClientError: there is none.
        """
        if not self.at_home:
            return self.client.cut_out(picture, self.fields, self.background)
        # With NumPy and the decoders, which take longer to load than all the rest.
        from u2net_cutout.client.local_composite import composite

        answer, traffic = composite(self.client, picture, self.fields)
        with self._lock:
            self.traffic += traffic
        return answer

    def do(self, job: Job) -> None:
        """Write the cutout of a picture to its file.

        Raises:
            ClientError, OSError: it can't be had, read or written.
        """
        if not self.force and (existing := job.existing()):
            raise OutputExists(existing)
        answer = self.cut_out(job.source.read_bytes())
        target = job.target_as(self._format_of(answer))
        write_whole(target, answer.content, force=self.force)

    def _format_of(self, answer: Answer) -> OutputFormat:
        try:
            return FORMATS[answer.content_type.partition(";")[0].strip()]
        except KeyError:
            raise ClientError(f"the server answers with {answer.content_type!r}") from None
