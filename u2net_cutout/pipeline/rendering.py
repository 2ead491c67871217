"""From a photo and its saliency to the response's picture. Knows no bytes and no server."""

import math
from dataclasses import dataclass

from PIL import Image, ImageStat
from torch import Tensor

from u2net_cutout.contract.errors import ResponseTooLarge, UnknownForeground
from u2net_cutout.contract.options import Channels, CutoutOptions, Edges
from u2net_cutout.imaging.compositing import cover, cut_out, keep_inside, lay_on, multiply_own
from u2net_cutout.matting.alpha import alpha_matte
from u2net_cutout.matting.foreground import decontaminate
from u2net_cutout.matting.refinement import refine
from u2net_cutout.network.variant import Variant
from u2net_cutout.pipeline.photo import Photo
from u2net_cutout.pipeline.placement import Box, find_subject, place

# A matte with more half-transparent pixels than this is soft all over: it has no edge to mend, and
# mending it would take longer than a worker may be silent.
MAX_EDGE_PIXELS = 8_000_000


@dataclass(frozen=True)
class Rendering:
    """The response's picture and where the subject lies in it."""

    picture: Image.Image
    """Mode RGBA; L if only the matte was asked for."""
    subject: Box | None
    coverage: float
    """Share of the whole photo that is foreground, half-transparent pixels counted half."""


def render(photo: Photo, saliency: Tensor, variant: Variant) -> Rendering:
    """Cut a photo out by its (H, W) saliency, and do with the cutout what was asked for.

    `variant` is the network that drew it.
    Unless an explanation is asked for, the photo's picture may become the cutout itself.

    Raises:
        UnknownForeground: a subject is needed for that, and there is none.
        ResponseTooLarge: margins make the response larger than any picture may be.
    """
    options = photo.request.options
    alpha = alpha_matte(saliency, photo.image.size, rounded_last=variant.rounded_last)
    if options.edges is Edges.REFINED and _edge_pixels(alpha) <= MAX_EDGE_PIXELS:
        alpha = refine(_seen(photo.image), alpha, variant.resolution)
    cutout, alpha = _cut_out(photo, alpha, variant.resolution)
    subject = find_subject(alpha)
    if subject is None and options.needs_subject:
        raise UnknownForeground("no subject was found that is clear enough")
    placement = place(cutout.size, subject, options)
    # Margins of 500 pixels around 1 x 1,000,000 would make four gigabytes of a small file.
    pixels = math.prod(placement.canvas)
    if pixels > photo.max_pixels:
        raise ResponseTooLarge(
            f"with margins the response would have {pixels} pixels; the limit is "
            f"{photo.max_pixels}: use smaller margins, or set size"
        )
    placed = placement.apply(cutout)
    return Rendering(
        _finish(placed, photo.background, options),
        subject if placed is cutout else find_subject(placed.getchannel("A")),
        ImageStat.Stat(alpha).mean[0] / 255,
    )


def _cut_out(photo: Photo, alpha: Image.Image, resolution: int) -> tuple[Image.Image, Image.Image]:
    """Cut a photo out by its matte, within its region; return the cutout and its alpha.

    The background's colour is taken out of the subject's edge, if anyone will see it.
    """
    picture, request = photo.image, photo.request
    kept = alpha if photo.region is None else keep_inside(alpha, photo.region)
    kept = multiply_own(kept, picture)
    unseen = request.explain or request.options.channels is Channels.ALPHA
    plain = request.options.edges is Edges.PLAIN
    if unseen or plain or _edge_pixels(alpha) > MAX_EDGE_PIXELS:
        # An explanation is drawn over the photo; else nothing reads it again.
        return cut_out(picture.copy() if request.explain else picture, kept), kept
    # By the whole matte: what lies outside of the region is no background either.
    cutout = decontaminate(_seen(picture), alpha, resolution)
    if kept is not alpha:
        cutout.putalpha(kept)
    return cutout, kept


def _seen(picture: Image.Image) -> Image.Image:
    """Return a picture's colours, mode RGB; white where it is wholly transparent itself.

    What a picture hides has no say in what is seen; white is what the network saw there.
    """
    if "A" not in picture.getbands():
        return picture
    visible = picture.getchannel("A").point(lambda level: 255 if level else 0)
    white = Image.new("RGB", picture.size, "white")
    return Image.composite(picture.convert("RGB"), white, visible)


def _edge_pixels(alpha: Image.Image) -> int:
    return sum(alpha.histogram()[1:255])


def _finish(
    cutout: Image.Image, background: Image.Image | None, options: CutoutOptions
) -> Image.Image:
    if options.channels is Channels.ALPHA:
        return cutout.getchannel("A")
    if background is not None:
        return lay_on(cutout, cover(background, cutout.size))
    if options.bg_color is not None:
        return lay_on(cutout, Image.new("RGBA", cutout.size, options.bg_color))
    return cutout
