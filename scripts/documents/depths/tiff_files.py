"""TIFF files of any kind and depth of samples, written from the specification.

No library writes all of these. TIFF 6.0
(https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf).
"""

import struct
import zlib
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

from scripts.documents.depths.samples import Alpha, Kind, Levels

SHORT, LONG = 3, 4
TILE = 16
Entry = tuple[int, int, list[int]]


class SampleFormat(Enum):
    """How a sample's bits are read: the name, and TIFF's number of it."""

    UNSIGNED = ("unsigned", 1)
    SIGNED = ("signed", 2)
    FLOAT = ("float", 3)

    def __init__(self, title: str, number: int) -> None:
        self.title = title
        self.number = number


class Packing(StrEnum):
    """How the samples lie in the file."""

    STRIP = "a strip"
    DEFLATED = "a compressed strip"
    PLANES = "planes"
    TILE = "tiles"
    LOW_BIT_FIRST = "bytes with the lowest bit first"


@dataclass(frozen=True)
class TiffLayout:
    """One way to write a picture."""

    kind: Kind
    alpha: Alpha = Alpha.NONE
    sample_format: SampleFormat = SampleFormat.UNSIGNED
    bits: int = 8
    order: str = "<"
    """``<`` or ``>``, as in `struct`."""
    packing: Packing = Packing.STRIP

    def scale(self) -> Levels:
        """Return what a level of each channel is multiplied by; half of a and b lies below 0."""
        signed = self.sample_format is SampleFormat.SIGNED
        scale = np.full(self.kind.channels + (self.alpha is not Alpha.NONE), 2.0)
        scale = scale ** (self.bits - signed) - 1
        if self.kind is Kind.LAB:
            scale[1:3] = 2.0 ** (self.bits - 1) - 1
        return np.asarray(np.maximum(scale, 1), np.float64)

    def stored(self, levels: Levels) -> Levels:
        """Return the levels as such a file holds them."""
        if self.sample_format is SampleFormat.FLOAT:
            return levels
        return np.asarray(np.round(levels * self.scale()) / self.scale())


def tiff(layout: TiffLayout, levels: Levels) -> bytes:
    """Return a file of (height, width, channels) levels from 0 to 1; a and b of Lab: -1 to 1.

    A palette has greys from black to white.
    """
    height, width, channels = levels.shape
    rows = _samples(layout, levels)
    entries: list[Entry] = [
        (256, LONG, [width]),
        (257, LONG, [height]),
        (258, SHORT, [layout.bits] * channels),
        (259, SHORT, [8 if layout.packing is Packing.DEFLATED else 1]),
        (262, SHORT, [layout.kind.photometric]),
        (266, SHORT, [2 if layout.packing is Packing.LOW_BIT_FIRST else 1]),
        (277, SHORT, [channels]),
        (284, SHORT, [2 if layout.packing is Packing.PLANES else 1]),
        (339, SHORT, [layout.sample_format.number] * channels),
        (530, SHORT, [1, 1]),
    ]
    if layout.alpha.number is not None:
        entries.append((338, SHORT, [layout.alpha.number]))
    if layout.kind is Kind.PALETTE:
        greys = np.linspace(0, 65535, 1 << layout.bits).round().astype(int).tolist()
        entries.append((320, SHORT, greys * 3))
    if layout.packing is Packing.TILE:
        rows = np.pad(rows, ((0, TILE - height), (0, TILE - width), (0, 0), (0, 0)))
        entries += [(322, SHORT, [TILE]), (323, SHORT, [TILE])]
    else:
        entries.append((278, LONG, [height]))
    planes = np.split(rows, channels, axis=2) if layout.packing is Packing.PLANES else [rows]
    return assemble(
        layout.order,
        entries,
        [_block(layout, plane) for plane in planes],
        tiled=layout.packing is Packing.TILE,
    )


def assemble(order: str, entries: list[Entry], blocks: list[bytes], tiled: bool = False) -> bytes:
    """Return a file of one directory, and of strips or tiles."""
    places, lengths = (324, 325) if tiled else (273, 279)
    offsets = [8 + sum(len(block) for block in blocks[:at]) for at in range(len(blocks))]
    entries = sorted(
        [*entries, (places, LONG, offsets), (lengths, LONG, [len(block) for block in blocks])]
    )
    pixels = b"".join(blocks)
    pixels += b"\0" * (len(pixels) % 2)
    at = 8 + len(pixels)
    end = at + 2 + 12 * len(entries) + 4
    directory, tail = struct.pack(f"{order}H", len(entries)), b""
    for tag, kind, values in entries:
        held = struct.pack(f"{order}{len(values)}{'H' if kind == SHORT else 'I'}", *values)
        if len(held) > 4:
            held, tail = struct.pack(f"{order}I", end + len(tail)), tail + held
        directory += struct.pack(f"{order}HHI4s", tag, kind, len(values), held)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", at)
    return head + pixels + directory + bytes(4) + tail


def _samples(layout: TiffLayout, levels: Levels) -> npt.NDArray[np.uint8]:
    """Return each sample's bits, from the highest, as (height, width, channels, bits)."""
    bits = layout.bits
    if layout.sample_format is SampleFormat.FLOAT:
        # 24 bits are those of 32 without the last byte.
        size = {16: 2, 24: 4, 32: 4, 64: 8}[bits]
        held = levels.astype(f">f{size}")[..., None].view(np.uint8)[..., : bits // 8]
        return np.unpackbits(held, axis=-1)
    scaled = np.round(levels * layout.scale())
    # A float64 does not hold all whole numbers of 64 bits; the next below the largest will do.
    most = 2.0 ** (64 - (layout.sample_format is SampleFormat.SIGNED))
    scaled = np.minimum(scaled, np.nextafter(most, 0))
    below = scaled < 0
    numbers = np.abs(scaled).astype(np.uint64)
    numbers = np.where(below, ~numbers + np.uint64(1), numbers)
    held = numbers.astype(">u8")[..., None].view(np.uint8)
    return np.unpackbits(held, axis=-1)[..., 64 - bits :]


def _block(layout: TiffLayout, samples: npt.NDArray[np.uint8]) -> bytes:
    """Return a strip, tile or plane; each row is filled up to a whole byte."""
    if layout.bits % 8 == 0 and layout.order == "<":
        whole = samples.reshape(*samples.shape[:3], -1, 8)[..., ::-1, :]
        samples = whole.reshape(samples.shape)
    order: Literal["little", "big"] = "little" if layout.packing is Packing.LOW_BIT_FIRST else "big"
    data = np.packbits(samples.reshape(len(samples), -1), axis=1, bitorder=order).tobytes()
    return zlib.compress(data) if layout.packing is Packing.DEFLATED else data
