"""Reads a TIFF's directories: tags and their whole numbers. Decodes nothing, and never raises.

TIFF 6.0 (https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf); BigTIFF
(https://www.awaresystems.be/imaging/tiff/bigtiff.html).
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

BIG_ENDIAN_BIG_TIFF = b"MM\0+"
BIG_TIFF_SIGNATURES = (b"II+\0", BIG_ENDIAN_BIG_TIFF)
# How a TIFF begins, for Pillow: also misspelt, or as a BigTIFF.
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", *BIG_TIFF_SIGNATURES)

# BYTE, SHORT, LONG, IFD, LONG8, IFD8.
NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

# Directories hold some twenty tags, those of cameras a hundred, and those read here one number for
# each channel. What lies beyond is not looked at, however much of it a file has.
MAX_TAGS = 512
MAX_NUMBERS = 64


@dataclass(frozen=True)
class Entry:
    """A tag of a directory."""

    tag: int
    kind: int
    """The type of its values."""
    count: int
    held: bytes
    """Its values, or where they lie if they are longer."""


@dataclass(frozen=True)
class Directory:
    """The tags of one picture that hold whole numbers."""

    numbers: Mapping[int, tuple[int, ...]]
    following: int
    """Where the next picture's directory lies; 0 after the last."""

    def number(self, tag: int, default: int) -> int:
        """Return the first number of a tag."""
        return self.numbers.get(tag, (default,))[0]

    def says(self, tag: int, *any_of: int) -> bool:
        """Say whether a tag's first number, which decoders take, is one of these."""
        return self.numbers.get(tag, (None,))[0] in any_of


@dataclass(frozen=True)
class TiffFile:
    """A TIFF's bytes; `big` says whether it is laid out as a BigTIFF."""

    data: bytes | bytearray
    big: bool

    @property
    def order(self) -> str:
        """The byte order, as `struct` calls it."""
        return "<" if self.data.startswith(b"II") else ">"

    def first(self) -> int:
        """Return where the first directory lies."""
        return self._read("Q" if self.big else "I", 8 if self.big else 4)

    def entries(self, at: int) -> Iterator[Entry]:
        """Yield the tags of the directory at `at`, up to where the file is cut short."""
        for start in self.places(at):
            try:
                yield Entry(*struct.unpack_from(self._entry, self.data, start))
            except struct.error:
                return

    def packed(self, entry: Entry) -> bytes:
        """Return a tag as it is written."""
        return struct.pack(self._entry, entry.tag, entry.kind, entry.count, entry.held)

    def place(self, entry: Entry) -> int:
        """Return where a tag's values lie if they are longer than what it holds."""
        return int(struct.unpack(self.order + ("Q" if self.big else "I"), entry.held)[0])

    @property
    def _entry(self) -> str:
        return self.order + ("HHQ8s" if self.big else "HHI4s")

    def directory(self, at: int) -> Directory:
        """Read the directory at `at`."""
        entries = islice(self.entries(at), MAX_TAGS)
        numbers = {entry.tag: self._numbers(entry) for entry in entries}
        following = self._read("Q" if self.big else "I", self.places(at).stop)
        return Directory({tag: held for tag, held in numbers.items() if held}, following)

    def places(self, at: int) -> range:
        """Return where the tags of the directory at `at` lie, or would lie if it were whole."""
        count, start, size = ("Q", at + 8, 20) if self.big else ("H", at + 2, 12)
        return range(start, start + self._read(count, at) * size, size)

    def _read(self, form: str, at: int) -> int:
        try:
            return int(struct.unpack_from(self.order + form, self.data, at)[0])
        except (struct.error, OverflowError):  # cut short, or it points beyond any file
            return 0

    def _numbers(self, entry: Entry) -> tuple[int, ...]:
        if entry.kind not in NUMBERS:
            return ()
        form = f"{self.order}{min(entry.count, MAX_NUMBERS)}{NUMBERS[entry.kind]}"
        outside = entry.count * struct.calcsize(NUMBERS[entry.kind]) > len(entry.held)
        try:
            if not outside:
                return struct.unpack_from(form, entry.held)
            return struct.unpack_from(form, self.data, self.place(entry))
        except (struct.error, OverflowError):
            return ()
