"""The worker's log: requests and failures as lines of JSON.

TorchServe's frontend reads a worker's output line by line and looks for words of its own in it:
``[METRICS]`` at the start of a line, ``[PID]`` and digits at its end. One that it can't parse ends
its reading, and with it the worker. A line of these begins and ends in a brace and holds no control
character, so no text of a client can look like one. A request's line has figures and words of our
own, and nothing that a client wrote: no file name, no option, no header.
"""

import json
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.pipeline.photo import Photo
from u2net_cutout.pipeline.request import ReceivedRequest
from u2net_cutout.pipeline.response import Response

# The end of a traceback says the most; its exception may quote what a client sent.
LONGEST_TRACEBACK = 6000
# The format of a request or response without a picture.
NO_FORMAT = "none"


def event(name: str, **fields: object) -> str:
    """Return one line of JSON in ASCII: the event's name, the time in UTC, and the fields.

    Raises:
        TypeError, ValueError: a field that JSON can't hold.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"event": name, "time": now, **fields}, allow_nan=False)
    # The only control character that JSON leaves as it is.
    return line.replace("\x7f", "\\u007f")


def failure(request_ids: Sequence[str], error: BaseException) -> str:
    """Return the event of a fault of ours; the client gets its request's id instead."""
    text = "".join(traceback.format_exception(error))[-LONGEST_TRACEBACK:]
    return event("failure", ids=list(request_ids), error=type(error).__name__, traceback=text)


@dataclass(frozen=True)
class RequestReport:
    """One request and its response in figures, for the log and the metrics."""

    request_id: str
    bytes_in: int
    """Of the request's fields, pictures included."""
    photo_format: str
    """Pillow's name of the file's format: ``JPEG``; ``none`` if it could not be read."""
    size: tuple[int, int] | None
    """Width and height of the photo."""
    status: int
    code: str
    """``ok``, or the error's code."""
    content_type: str
    output_format: str
    """The option's value: ``png``; ``none`` in an error."""
    bytes_out: int
    milliseconds: Mapping[str, float]
    """Of each stage that began."""

    @classmethod
    def of(
        cls,
        request_id: str,
        received: ReceivedRequest,
        photo: Photo | CutoutError,
        response: Response,
    ) -> "RequestReport":
        """Return the report of one request of a batch."""
        image = photo.image if isinstance(photo, Photo) else None
        return cls(
            request_id,
            payload_bytes(received.row),
            (image and image.format) or NO_FORMAT,
            image.size if image else None,
            response.status,
            response.code,
            response.content_type,
            response.output_format.value if response.output_format else NO_FORMAT,
            len(response.body),
            received.timing.milliseconds,
        )

    def line(self, **served: object) -> str:
        """Return the request's line in the log, with facts of the server."""
        width, height = self.size or (None, None)
        return event(
            "request",
            id=self.request_id,
            **served,
            status=self.status,
            code=self.code,
            bytes_in=self.bytes_in,
            photo=self.photo_format,
            width=width,
            height=height,
            format=self.output_format,
            type=self.content_type,
            bytes_out=self.bytes_out,
            ms={stage: round(spent, 1) for stage, spent in self.milliseconds.items()},
        )


def payload_bytes(value: object) -> int:
    """Count the bytes of a row's fields; where TorchServe parsed JSON, of its texts."""
    match value:
        case bytes() | bytearray() | str():
            return len(value)
        case Mapping():
            return sum(map(payload_bytes, value.values()))
        case Sequence():
            return sum(map(payload_bytes, value))
        case _:
            return 0
