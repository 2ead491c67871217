"""What a picture's decoder is given of a file: all that its pixels need, and nothing else.

Pillow and the libraries below it give up a whole picture over a comment, a date or a text that
they don't like, and take some from where they don't count. So they never see what no pixel needs.
Profile, EXIF and PNG's colours come along as values, read from where the format has them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO

File = bytes | bytearray
"""A file as it was sent."""

CUT_SHORT = "the file ends before its last row; send it whole"


@dataclass(frozen=True)
class PixelFile:
    """A picture's file without what no pixel needs."""

    file: BytesIO
    info: dict[str, object] = field(default_factory=dict)
    """What counts of the rest, by the names that Pillow gives it in ``Image.info``."""
    ignored_bytes: int = 0
    """Length of the metadata that is in neither, its texts uncompressed."""


Reader = Callable[[File, int], PixelFile]
"""Reads a file of one format; metadata needs no counting beyond so many bytes."""


def joined(head: bytes, data: File, spans: Iterable[tuple[int, int]], tail: bytes = b"") -> BytesIO:
    """Return spans of a file, from start to end each, between `head` and `tail`, as one file."""
    view = memoryview(data)
    return BytesIO(b"".join([head, *(view[start:end] for start, end in spans), tail]))
