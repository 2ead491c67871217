"""ImageMagick reads of these files what was written."""

import shutil
import subprocess

import numpy as np
import pytest

from scripts.documents.depths.matrix import png_layouts
from scripts.documents.depths.png_files import PngLayout, png
from scripts.documents.depths.samples import colours, ramps

CONVERT = shutil.which("convert")


@pytest.mark.skipif(CONVERT is None, reason="imagemagick is not installed")
@pytest.mark.parametrize(
    "layout", list(png_layouts()), ids=lambda layout: f"{layout} {layout.bits}"
)
def test_imagemagick_sees_the_colours(layout: PngLayout) -> None:
    levels = ramps(layout.kind, layout.alpha)
    stored = layout.stored(levels)

    shown = subprocess.run(
        [str(CONVERT), "png:-", "-depth", "8", "rgba:-"],
        input=png(layout, levels),
        check=True,
        capture_output=True,
    ).stdout

    pixels = np.frombuffer(shown, np.uint8).reshape(*levels.shape[:2], 4)
    right = colours(layout.kind, layout.alpha, stored)
    seen = np.full((*levels.shape[:2], 1), 255.0)
    if layout.clear:
        seen = 255.0 * (stored != stored[0, 0]).any(axis=-1, keepdims=True)
    alpha = right[..., 3:] if right.shape[-1] == 4 else seen
    assert np.abs(pixels[..., :3] - right[..., :3]).max() <= 1
    assert np.abs(pixels[..., 3:] - alpha).max() <= 1
