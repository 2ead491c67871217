"""The served cutout against the masks that the authors of U-2-Net published."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.served.conftest import Served

# Pictures and masks of github.com/xuebinqin/U-2-Net: folders `images` and `masks` (test_data).
OFFICIAL = Path(os.environ.get("U2NET_TEST_DATA", ROOT.parent / "shared" / "official"))


def test_alpha_is_the_mask_that_the_authors_published(served: Served) -> None:
    pictures = sorted((OFFICIAL / "images").glob("*"))
    if not pictures:
        pytest.skip("the authors' pictures are not there; U2NET_TEST_DATA names their folder")
    errors = {}
    for picture in pictures:
        response = served.ask("u2net", files={"data": picture.read_bytes()}, data={"format": "png"})
        with Image.open(BytesIO(response.content)) as cutout:
            alpha = np.asarray(cutout.getchannel("A"), float)
        with Image.open(OFFICIAL / "masks" / f"{picture.stem}.png") as published:
            mask = np.asarray(published.convert("L"), float)
        errors[picture.name] = np.abs(alpha - mask).mean() / 255

    assert np.mean(list(errors.values())) <= 0.0003, errors
    assert max(errors.values()) <= 0.001, errors
