"""Where the subject lies in the response's picture, by crop, scale, position and size.

Knows pictures and lengths; no request and no network. Boxes are (left, top, right, bottom) in whole
pixels, right and bottom exclusive, as Pillow has them.
"""

import math
from dataclasses import dataclass

from PIL import Image

from u2net_cutout.contract.option_values import Margins, Position, Region
from u2net_cutout.contract.options import CutoutOptions

Box = tuple[int, int, int, int]
Size = tuple[int, int]

# Alpha from which a pixel belongs to the subject; thin haze beyond it does not defeat a crop.
SUBJECT_ALPHA = 32


@dataclass(frozen=True)
class Placement:
    """Which part of the cutout lies where on the response's canvas."""

    source: Box
    """In the cutout."""
    target: Box
    """On the canvas."""
    canvas: Size
    """Size of the response's picture."""

    def apply(self, cutout: Image.Image) -> Image.Image:
        """Lay an RGBA cutout on its canvas; what it does not cover is transparent.

        Where it is resampled, Pillow weighs colours by alpha, so that hidden colours stay hidden.
        """
        left, top, right, bottom = self.target
        size = right - left, bottom - top
        if self.source == (0, 0, *cutout.size) and size == self.canvas == cutout.size:
            return cutout
        if size == (self.source[2] - self.source[0], self.source[3] - self.source[1]):
            part = cutout.crop(self.source)
        else:
            part = cutout.resize(size, Image.Resampling.BICUBIC, box=self.source)
        if size == self.canvas:
            return part
        canvas = Image.new("RGBA", self.canvas)
        canvas.paste(part, (left, top))
        return canvas


def find_subject(alpha: Image.Image) -> Box | None:
    """Return the box of what is clearly foreground in an alpha channel (mode L), if anything is."""
    around = alpha.getbbox()
    if around is None:
        return None
    clear = alpha.crop(around).point(lambda level: level >= SUBJECT_ALPHA)
    inside = clear.getbbox()
    return inside and _moved(inside, around[0], around[1])


def region_box(region: Region, size: Size) -> Box:
    """Return a region of a picture of `size` as a box; it may be empty."""
    width, height = size
    left, right = (round(edge.of(width)) for edge in (region.left, region.right))
    top, bottom = (round(edge.of(height)) for edge in (region.top, region.bottom))
    return min(left, width), min(top, height), min(right, width), min(bottom, height)


def place(size: Size, subject: Box | None, options: CutoutOptions) -> Placement:
    """Work out the placement of a cutout of `size` whose subject lies in the box `subject`.

    Without crop, scale and position, `subject` does not matter.
    """
    source: Box = (0, 0, *size)
    canvas: tuple[float, float] = size
    target: tuple[float, float, float, float] = source
    if subject and options.crop:
        window = _with_margins(subject, options.crop_margin)
        canvas = window[2] - window[0], window[3] - window[1]
        source = _overlap(window, source)
        target = _moved(source, -window[0], -window[1])
    if subject and (options.scale is not None or options.position is not None):
        source = subject
        target = _positioned(subject, canvas, options.scale, options.position)
    return Placement(source, *_fitted(target, canvas, options.size))


def _with_margins(subject: Box, margins: Margins | None) -> Box:
    if margins is None:
        return subject
    left, top, right, bottom = subject
    width, height = right - left, bottom - top
    return (
        left - round(margins.left.of(width)),
        top - round(margins.top.of(height)),
        right + round(margins.right.of(width)),
        bottom + round(margins.bottom.of(height)),
    )


def _overlap(first: Box, second: Box) -> Box:
    return (
        max(first[0], second[0]),
        max(first[1], second[1]),
        min(first[2], second[2]),
        min(first[3], second[3]),
    )


def _moved(box: Box, across: int, down: int) -> Box:
    return box[0] + across, box[1] + down, box[2] + across, box[3] + down


def _positioned(
    subject: Box, canvas: tuple[float, float], scale: float | None, position: Position | None
) -> tuple[float, float, float, float]:
    width, height = float(subject[2] - subject[0]), float(subject[3] - subject[1])
    if scale is not None:
        factor = scale * min(canvas[0] / width, canvas[1] / height)
        width, height = width * factor, height * factor
    position = position or Position(0.5, 0.5)
    left = (canvas[0] - width) * position.across
    top = (canvas[1] - height) * position.down
    return left, top, left + width, top + height


def _fitted(
    target: tuple[float, float, float, float], canvas: tuple[float, float], limit: int | None
) -> tuple[Box, Size]:
    """Shrink target and canvas together until the canvas holds at most `limit` pixels."""
    shrink = min(1.0, math.sqrt(limit / (canvas[0] * canvas[1]))) if limit else 1.0
    width, height = (max(1, math.floor(side * shrink + 1e-6)) for side in canvas)
    if limit:
        # One side of a very long canvas can't shrink with the other any more.
        width = min(width, limit)
        height = min(height, limit // width)
    left, right = _whole(target[0], target[2], width / canvas[0], width)
    top, bottom = _whole(target[1], target[3], height / canvas[1], height)
    return (left, top, right, bottom), (width, height)


def _whole(start: float, end: float, shrink: float, whole: int) -> tuple[int, int]:
    """Shrink a stretch to whole pixels inside of `whole`; its length doesn't hang on its place."""
    length = max(1, min(round((end - start) * shrink), whole))
    first = min(round(start * shrink), whole - length)
    return first, first + length
