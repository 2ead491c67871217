"""Every kind and depth, written, decoded, and held against what it means."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from scripts.documents.depths.png_files import PngLayout, png
from scripts.documents.depths.samples import Alpha, Kind, Levels, colours, ramps
from scripts.documents.depths.tiff_files import Packing, SampleFormat, TiffLayout, tiff
from u2net_cutout.contract.errors import CutoutError, UnsupportedPicture
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image

LIMITS = Limits(max_file_bytes=1 << 24, max_pixels=1 << 12, max_response_bytes=1 << 20)
DEPTHS = range(1, 65)
FLOAT_DEPTHS = (16, 24, 32, 64)
# Beyond, the palette would be larger than any file.
PALETTE_DEPTH = 12
PNG_DEPTHS = {
    (Kind.GREY, Alpha.NONE): (1, 2, 4, 8, 16),
    (Kind.GREY, Alpha.STRAIGHT): (8, 16),
    (Kind.RGB, Alpha.NONE): (8, 16),
    (Kind.RGB, Alpha.STRAIGHT): (8, 16),
    (Kind.PALETTE, Alpha.NONE): (1, 2, 4, 8),
}


@dataclass(frozen=True)
class Outcome:
    """What came of a file."""

    difference: float | None
    """The greatest from what the file means, in levels. None: such files are refused, by name;
    infinite: they are called broken, or come out with other channels."""
    detail: str = ""
    """What the refusal says."""


def tiff_layouts(depths: Collection[int] = DEPTHS) -> Iterator[TiffLayout]:
    """Yield all kinds of TIFF, of so many bits a channel."""
    for kind, alpha, sample_format in product(Kind, Alpha, SampleFormat):
        for bits in depths:
            if sample_format is SampleFormat.FLOAT and bits not in FLOAT_DEPTHS:
                continue
            if kind is Kind.PALETTE and bits > PALETTE_DEPTH:
                continue
            for order, packing in product("<>", Packing):
                yield TiffLayout(kind, alpha, sample_format, bits, order, packing)


def png_layouts() -> Iterator[PngLayout]:
    """Yield all kinds of PNG."""
    for (kind, alpha), depths in PNG_DEPTHS.items():
        for clear in (False, True) if alpha is Alpha.NONE else (False,):
            yield from (PngLayout(kind, alpha, clear, bits) for bits in depths)


def try_tiff(layout: TiffLayout) -> Outcome:
    """Write, decode and compare one TIFF."""
    levels = ramps(layout.kind, layout.alpha)
    return _decode(
        tiff(layout, levels), lambda: colours(layout.kind, layout.alpha, layout.stored(levels))
    )


def try_png(layout: PngLayout) -> Outcome:
    """Write, decode and compare one PNG."""
    levels = ramps(layout.kind, layout.alpha)

    def expected() -> Levels:
        stored = layout.stored(levels)
        shown = colours(layout.kind, layout.alpha, stored)
        if not layout.clear:
            return shown
        seen = (stored != stored[0, 0]).any(axis=-1, keepdims=True)
        return np.concatenate([shown, 255.0 * seen], axis=-1)

    return _decode(png(layout, levels), expected)


def _decode(data: bytes, expected: Callable[[], Levels]) -> Outcome:
    try:
        shown = np.asarray(decode_image(data, LIMITS), np.float64)
    except UnsupportedPicture as refusal:
        return Outcome(None, refusal.detail)
    except CutoutError as refusal:
        return Outcome(np.inf, refusal.detail)
    right = expected()
    if shown.shape != right.shape:
        return Outcome(np.inf)
    return Outcome(float(np.abs(shown - right).max()))
