"""A handler of your own: the photo itself, with everything behind its subject out of focus.

TorchServe takes the only class that is defined in this file; the imported one does not count.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from torch import Tensor

from u2net_cutout.contract.errors import CutoutError, UnsupportedParameter
from u2net_cutout.contract.options import Channels
from u2net_cutout.imaging.compositing import flatten
from u2net_cutout.matting.alpha import alpha_matte
from u2net_cutout.pipeline.photo import Photo
from u2net_cutout.pipeline.response import Answer
from u2net_cutout.worker.batch import each
from u2net_handler import U2Net

# What is out of focus has no detail to lose, so that large photos take no longer than this.
LONGEST_SIDE = 1024
# In pixels of it.
RADIUS = 16


class BlurredBackground(U2Net):
    """Answer each photo with its background blurred and its subject left as it is."""

    def postprocess(
        self,
        photos: Sequence[Photo | CutoutError],
        saliency: Sequence[Tensor | CutoutError],
    ) -> list[Answer | CutoutError]:
        """Give each photo a background to lie on, then answer as ever."""
        # `each` leaves errors where they are, and puts what goes wrong into its request's place.
        blurred = each(self.request_ids, self._with_background, photos, saliency)
        answers: list[Answer | CutoutError] = super().postprocess(blurred, saliency)
        return answers

    def _with_background(self, photo: Photo, maps: Tensor) -> Photo:
        options = photo.request.options
        if options.needs_subject:
            raise UnsupportedParameter("the subject stays where it is: no crop, scale or position")
        own = photo.background is not None or options.bg_color is not None
        if own or photo.request.explain or options.channels is Channels.ALPHA:
            return photo
        return replace(photo, background=self._blur(flatten(photo.image), maps[0]))

    def _blur(self, scene: Image.Image, saliency: Tensor) -> Image.Image:
        """Blur what is behind the subject, and nothing of the subject into it."""
        small = ImageOps.contain(scene, (LONGEST_SIDE, LONGEST_SIDE))
        weight = np.asarray(ImageOps.invert(alpha_matte(saliency, small.size)), np.float32) / 255
        weighted = (np.asarray(small) * weight[..., None]).round().astype(np.uint8)
        blur = ImageFilter.GaussianBlur(RADIUS)
        colours = np.asarray(Image.fromarray(weighted).filter(blur), np.float32)
        weights = Image.fromarray((weight * 255).round().astype(np.uint8)).filter(blur)
        # Far inside the subject nothing is left to divide by; nobody sees it there.
        share = np.maximum(np.asarray(weights, np.float32) / 255, 1 / 255)
        return Image.fromarray((colours / share[..., None]).clip(0, 255).astype(np.uint8))
