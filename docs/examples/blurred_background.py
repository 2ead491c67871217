"""A handler of your own: the photo itself, with everything behind its subject out of focus.

TorchServe takes the only class that is defined in this file; the imported one does not count.
"""

from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from torch import Tensor

from u2net_cutout.contract.errors import UnsupportedParameter
from u2net_cutout.contract.options import Channels
from u2net_cutout.imaging.compositing import flatten
from u2net_cutout.matting.alpha import alpha_matte
from u2net_cutout.pipeline.cutout import Saliency
from u2net_cutout.pipeline.response import Response
from u2net_cutout.worker.batch import Batch
from u2net_handler import U2Net

# A blurred picture has no detail to lose, so large photos are blurred at this size.
LONGEST_SIDE = 1024
# In pixels at that size.
RADIUS = 16


class BlurredBackground(U2Net):
    """Responds to each photo with its background blurred and its subject left as it is."""

    def postprocess(self, batch: Batch[Saliency]) -> Batch[Response]:
        """Give each photo a blurred background, then respond as usual."""
        # An error in `_with_background` is the error of that request only.
        blurred = batch.map(self._with_background)
        responses: Batch[Response] = super().postprocess(blurred)
        return responses

    def _with_background(self, saliency: Saliency) -> Saliency:
        photo, options = saliency.photo, saliency.photo.request.options
        if options.needs_subject:
            raise UnsupportedParameter("the subject stays where it is: no crop, scale or position")
        own = photo.background is not None or options.bg_color is not None
        if own or photo.request.explain or options.channels is Channels.ALPHA:
            return saliency
        blurred = self._blur(flatten(photo.image), saliency.maps[0])
        return replace(saliency, photo=replace(photo, background=blurred))

    def _blur(self, scene: Image.Image, saliency: Tensor) -> Image.Image:
        """Blur what is behind the subject, and nothing of the subject into it."""
        small = ImageOps.contain(scene, (LONGEST_SIDE, LONGEST_SIDE))
        weight = np.asarray(ImageOps.invert(alpha_matte(saliency, small.size)), np.float32) / 255
        weighted = (np.asarray(small) * weight[..., None]).round().astype(np.uint8)
        blur = ImageFilter.GaussianBlur(RADIUS)
        colours = np.asarray(Image.fromarray(weighted).filter(blur), np.float32)
        weights = Image.fromarray((weight * 255).round().astype(np.uint8)).filter(blur)
        # Far inside the subject the weight is 0; the subject covers it there.
        share = np.maximum(np.asarray(weights, np.float32) / 255, 1 / 255)
        return Image.fromarray((colours / share[..., None]).clip(0, 255).astype(np.uint8))
