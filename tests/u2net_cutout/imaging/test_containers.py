"""Metadata and padding never cost a picture, and never change it.

As many examples of each format as ``EXAMPLES`` says: ``EXAMPLES=5000 make test TESTS=...``. With
``PYTEST_ADDOPTS=--hypothesis-show-statistics`` it prints how many were read.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT, WHEELS
from tests.u2net_cutout.imaging.broken_files import (
    Draw,
    Pixels,
    broken_bmp,
    broken_boxes,
    broken_gif,
    broken_jpeg,
    broken_png,
    broken_tiff,
    broken_webp,
)
from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.containers import read_container
from u2net_cutout.imaging.decoding import decode_image

EXAMPLES = int(os.environ.get("EXAMPLES", "25"))
LIMITS = Limits(32 << 20, 50_000_000, 100 << 20)


def hold(build: Callable[[Draw], tuple[bytes, Pixels]]) -> None:
    """Read files that are broken at random, and hold them against the pixels of sound ones."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def read(data: st.DataObject) -> None:
        file, expected = build(data.draw)

        decoded = decode_image(file, LIMITS)

        event(f"{decoded.format} read")
        assert decoded.mode == "RGB"
        assert np.array_equal(np.asarray(decoded), expected)

    read()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "build",
    [broken_jpeg, broken_png, broken_webp, broken_gif, broken_bmp, broken_tiff],
)
def test_broken_metadata_neither_costs_nor_changes_a_picture(
    build: Callable[[Draw], tuple[bytes, Pixels]],
) -> None:
    hold(build)


def test_broken_items_neither_cost_nor_change_an_avif() -> None:
    hold(broken_boxes("AVIF"))


@pytest.mark.skipif(not WHEELS.exists(), reason="make archive has not fetched pillow-heif")
def test_broken_items_neither_cost_nor_change_a_heic(tmp_path: Path) -> None:
    # Into a folder of its own: the environment of the tests has no pillow-heif.
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps")
    wheels = ("--target", str(tmp_path), "--find-links", str(WHEELS), "pillow-heif")
    subprocess.run([*install, *wheels], check=True)
    script = f"""
import sys
sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]
from u2net_cutout.imaging.decoding import register_heif
assert register_heif()
from tests.u2net_cutout.imaging.test_containers import broken_boxes, hold
hold(broken_boxes("HEIF"))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("data", [b"", b"\xff", b"BM" + bytes(60), b"Hello, world", bytes(5000)])
def test_what_has_no_known_container_is_left_as_it_is(data: bytes) -> None:
    assert read_container(data, 1000).file.getvalue() == data
