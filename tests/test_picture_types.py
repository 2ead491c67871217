"""Pictures that can't be sent; those that can are in tests/served/test_client.py."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from u2net_cutout import UsageError, remove


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (np.zeros((4, 4), np.float32), {}),
        (np.zeros((4, 4, 2), np.uint8), {}),
        (np.zeros((0, 4, 3), np.uint8), {}),
        (Image.new("F", (4, 4)), {}),
        (Image.new("RGB", (4, 4)), {"format": "webp"}),
        (b"photo", {"edges": "nope"}),
        (b"photo", {"alpha_matting": True}),
        (b"photo", {"composite": True, "bg_image_file": b"x"}),
    ],
)
def test_what_makes_no_sense_is_not_sent(image: Any, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        remove(image, **options)
