"""From saliency to a matte. Knows tensors and masks; no request, no network, no server."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

# Bounds the memory of scaling, and keeps it in the processor's cache.
BAND_PIXELS = 1 << 18


def stretch(saliency: Tensor) -> Tensor:
    """Stretch one (H, W) saliency map to fill [0, 1] by its own minimum and maximum.

    This is ``normPRED`` of the authors' ``u2net_test.py``, per picture. A flat map, in which
    nothing stands out, becomes 0: no foreground.
    """
    lowest, highest = saliency.aminmax()
    spread = highest - lowest
    return (saliency - lowest) / torch.where(spread > 0, spread, 1)


def alpha_matte(
    saliency: Tensor, size: tuple[int, int], *, rounded_last: bool = False
) -> Image.Image:
    """Turn one (H, W) saliency map into the alpha channel (mode L) of a picture of `size`.

    `size` is (width, height). As the authors do: truncated to 8 bits, then scaled bilinearly, where
    reducing takes the mean of what lies between; `rounded_last`, as ``Inference.py`` of IS-Net:
    sampled bilinearly, nothing in between, then truncated.
    """
    mask = stretch(saliency)
    if rounded_last:
        return _sampled(mask.cpu(), size)
    levels = (mask * 255).to(torch.uint8).cpu().numpy()
    return _scaled(Image.fromarray(np.ascontiguousarray(levels)), size)


def _scaled(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale a mask (mode L) bilinearly.

    Pillow enlarges across, rounds to 8 bits, and enlarges down. In between, columns with nothing in
    them are left out; the same comes out, most often in half the time. It shrinks in another order.
    """
    if size[0] < mask.width or size[1] < mask.height:
        return mask.resize(size, Image.Resampling.BILINEAR)
    wide = mask.resize((size[0], mask.height), Image.Resampling.BILINEAR)
    matte = Image.new("L", size)
    if box := wide.getbbox():
        left, _, right, _ = box
        seen = wide.crop((left, 0, right, wide.height))
        seen = seen.resize((right - left, size[1]), Image.Resampling.BILINEAR)
        matte.paste(seen, (left, 0))
    return matte


def _sampled(mask: Tensor, size: tuple[int, int]) -> Image.Image:
    """Sample a mask in [0, 1] bilinearly, pixel centres at halves, and truncate it to 8 bits."""
    width, height = size
    own_height, own_width = mask.shape
    matte = np.empty((height, width), np.uint8)
    # By hand down and by torch across, so that no more than a band of floats is held.
    fitting = BAND_PIXELS // max(width, own_width)
    step = max(1, fitting)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        centres = torch.arange(top, bottom, dtype=torch.float64) + 0.5
        places = (centres * own_height / height - 0.5).clamp(min=0)
        upper = places.long()
        share = (places - upper).float()[:, None]
        rows = torch.lerp(mask[upper], mask[(upper + 1).clamp(max=own_height - 1)], share)
        across = functional.interpolate(rows[None], width, mode="linear", align_corners=False)
        matte[top:bottom] = (across[0] * 255).to(torch.uint8).numpy()
    return Image.fromarray(matte)
