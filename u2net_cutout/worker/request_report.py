"""What is told of one request, in the log and in the metrics: figures, and words of our own.

Nothing that a client wrote is in it: no file name, no option, no header.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.pipeline.photo import Photo
from u2net_cutout.pipeline.response import Answer
from u2net_cutout.pipeline.timing import StageTiming
from u2net_cutout.worker.request_log import event

# What a format is called where there is no picture.
NO_FORMAT = "none"


@dataclass(frozen=True)
class RequestReport:
    """One request and its answer, in figures."""

    request_id: str
    bytes_in: int
    """Of the fields of the request, pictures above all."""
    photo_format: str
    """What file was sent, as Pillow calls it: ``JPEG``; ``none`` if it could not be read."""
    size: tuple[int, int] | None
    """Width and height of the photo."""
    status: int
    code: str
    """``ok``, or that of the error."""
    content_type: str
    output_format: str
    """An option's value: ``png``; ``none`` in an error."""
    bytes_out: int
    milliseconds: Mapping[str, float]
    """Of each stage that was begun."""

    @classmethod
    def of(
        cls,
        request_id: str,
        row: Mapping[str, object] | CutoutError,
        photo: Photo | CutoutError,
        answer: Answer,
        timing: StageTiming,
    ) -> "RequestReport":
        """Report what became of one row of a TorchServe batch."""
        image = photo.image if isinstance(photo, Photo) else None
        return cls(
            request_id,
            payload_bytes(row),
            (image and image.format) or NO_FORMAT,
            image.size if image else None,
            answer.status,
            answer.code,
            answer.content_type,
            answer.output_format.value if answer.output_format else NO_FORMAT,
            len(answer.body),
            timing.milliseconds,
        )

    def line(self, **served: object) -> str:
        """Return the request's line in the log, with what is told of the server besides."""
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
    """Count the bytes of a row's fields; of one that TorchServe parsed as JSON, its text."""
    match value:
        case bytes() | bytearray() | str():
            return len(value)
        case Mapping():
            return sum(map(payload_bytes, value.values()))
        case Sequence():
            return sum(map(payload_bytes, value))
        case _:
            return 0
