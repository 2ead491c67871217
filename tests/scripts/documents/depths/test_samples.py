"""Colours whose values others publish."""

import numpy as np
import pytest

from scripts.documents.depths.samples import Alpha, Kind, colours


@pytest.mark.parametrize(
    ("kind", "alpha", "levels", "right"),
    [
        (Kind.INVERTED, Alpha.NONE, [0.0], [255, 255, 255]),
        (Kind.CMYK, Alpha.NONE, [0, 1, 1, 0.2], [204, 0, 0]),
        (Kind.RGB, Alpha.ASSOCIATED, [0.2, 0.1, 0.4, 0.4], [127.5, 63.75, 255, 102]),
        # JFIF's green is (149.7, 43.5, 21.2); L* of 50 is sRGB's grey of 118.9.
        (Kind.YCBCR, Alpha.NONE, [149.685 / 255, 43.527 / 255, 21.235 / 255], [0, 255, 0]),
        (Kind.LAB, Alpha.NONE, [0.5, 0, 0], [118.9, 118.9, 118.9]),
    ],
    ids=["inverted", "inks", "premultiplied", "YCbCr", "Lab"],
)
def test_levels_mean_these_colours(
    kind: Kind, alpha: Alpha, levels: list[float], right: list[float]
) -> None:
    shown = colours(kind, alpha, np.array([[levels]], np.float64))

    assert np.abs(shown[0, 0] - right).max() <= 0.5
