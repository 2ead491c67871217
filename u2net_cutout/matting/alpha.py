"""From saliency to a matte. Knows tensors and masks; no request, no network, no server."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def stretch(saliency: Tensor) -> Tensor:
    """Stretch one (H, W) saliency map to fill [0, 1] by its own minimum and maximum.

    This is ``normPRED`` of the authors' ``u2net_test.py``, per picture. A flat map, in which
    nothing stands out, becomes 0: no foreground.
    """
    lowest, highest = saliency.aminmax()
    spread = highest - lowest
    return (saliency - lowest) / torch.where(spread > 0, spread, 1)


def alpha_matte(saliency: Tensor, size: tuple[int, int]) -> Image.Image:
    """Turn one (H, W) saliency map into the alpha channel (mode L) of a picture of `size`.

    `size` is (width, height). As the authors do: truncated to 8 bits, then scaled bilinearly.
    """
    mask = (stretch(saliency) * 255).to(torch.uint8).cpu().numpy()
    return _scaled(Image.fromarray(np.ascontiguousarray(mask)), size)


def _scaled(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale a mask (mode L) bilinearly.

    Pillow enlarges across, rounds to 8 bits, and enlarges down. In between, columns with nothing in
    them are left out; the same comes out, most often in half the time. It shrinks in another order.
    """
    if size[0] < mask.width or size[1] < mask.height:
        return mask.resize(size, Image.Resampling.BILINEAR)
    wide = mask.resize((size[0], mask.height), Image.Resampling.BILINEAR)
    left, _, right, _ = wide.getbbox() or (0, 0, 0, 0)
    matte = Image.new("L", size)
    if left < right:
        seen = wide.crop((left, 0, right, wide.height))
        seen = seen.resize((right - left, size[1]), Image.Resampling.BILINEAR)
        matte.paste(seen, (left, 0))
    return matte
