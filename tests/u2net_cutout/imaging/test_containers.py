"""Metadata and padding never cost a picture, and never change it.

As many examples of each format as ``EXAMPLES`` says: ``EXAMPLES=5000 make test TESTS=...``.
``PYTEST_ADDOPTS=--hypothesis-show-statistics`` prints how many there were.
"""

import os
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.u2net_cutout.imaging import broken_files
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.decoding import decode_image, register_heif

EXAMPLES = int(os.environ.get("EXAMPLES", "25"))
LIMITS = Limits(32 << 20, 50_000_000, 100 << 20)


@pytest.mark.parametrize(
    "build",
    [
        broken_files.broken_jpeg,
        broken_files.broken_png,
        broken_files.broken_webp,
        broken_files.broken_gif,
        broken_files.broken_bmp,
        broken_files.broken_tiff,
        "AVIF",
        "HEIF",
    ],
    ids=["JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "HEIC"],
)
def test_broken_metadata_neither_costs_nor_changes_a_picture(build) -> None:
    if build == "HEIF" and (find_spec("pillow_heif") is None or not register_heif()):
        pytest.skip("pillow-heif is not installed")
    draw_file = broken_files.broken_boxes(build) if isinstance(build, str) else build

    @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        file, expected = draw_file(data.draw)

        decoded = decode_image(file, LIMITS)

        event("read")
        assert decoded.mode == "RGB"
        assert np.array_equal(np.asarray(decoded), expected)

    hold()
