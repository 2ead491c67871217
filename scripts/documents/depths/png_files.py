"""PNG files of any kind and depth of samples, written from the specification.

No library writes all of these. https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from scripts.documents.depths.samples import Alpha, Kind, Levels


@dataclass(frozen=True)
class PngLayout:
    """One way to write a picture."""

    kind: Kind
    alpha: Alpha = Alpha.NONE
    clear: bool = False
    """The first pixel's level or colour is transparent, by a tRNS chunk."""
    bits: int = 8

    def __str__(self) -> str:
        clear = " + tRNS" if self.clear else ""
        return f"{self.kind.title}{self.alpha.title}{clear}"

    @property
    def colour_type(self) -> int:
        """The header's number of it."""
        straight = 4 * (self.alpha is Alpha.STRAIGHT)
        return {Kind.GREY: 0, Kind.RGB: 2, Kind.PALETTE: 3}[self.kind] + straight

    def stored(self, levels: Levels) -> Levels:
        """Return the levels as such a file holds them."""
        largest = (1 << self.bits) - 1
        return np.asarray(np.round(levels * largest) / largest)


def png(layout: PngLayout, levels: Levels) -> bytes:
    """Return a file of (height, width, channels) levels from 0 to 1.

    A palette has greys from black to white.
    """
    height, width, _ = levels.shape
    largest = (1 << layout.bits) - 1
    numbers = np.round(levels * largest).astype(">u2")
    bits = np.unpackbits(numbers[..., None].view(np.uint8), axis=-1)[..., 16 - layout.bits :]
    rows = np.packbits(bits.reshape(height, -1), axis=1)
    header = struct.pack(">IIBBBBB", width, height, layout.bits, layout.colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header)]
    if layout.kind is Kind.PALETTE:
        greys = np.linspace(0, 255, largest + 1).round().astype(np.uint8)
        chunks.append((b"PLTE", greys.repeat(3).tobytes()))
    if layout.clear:
        # Of a palette, alpha of its entries, the first of which is the first pixel's.
        first = b"\0" if layout.kind is Kind.PALETTE else numbers[0, 0].tobytes()
        chunks.append((b"tRNS", first))
    chunks += [(b"IDAT", zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes())), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
