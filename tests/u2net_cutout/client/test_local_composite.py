"""Composites that need no server; the others are in tests/served/test_local_composite.py."""

import subprocess
import sys
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from u2net_cutout import Refused, UsageError, connect, remove
from u2net_cutout.client.local_composite import NETWORK_SIDE, _sample


def test_a_picture_that_is_none_is_refused_without_the_server() -> None:
    with pytest.raises(Refused, match="invalid_file_type"):
        remove(b"no picture", client=connect("http://127.0.0.1:9"), composite=True)


def test_the_client_bounds_no_memory_which_is_that_of_other_threads_too() -> None:
    """So it needs no module that only Unix has."""
    file = BytesIO()
    Image.new("RGB", (1200, 1200)).save(file, "PNG")
    code = (
        "import sys; sys.modules['resource'] = None; from u2net_cutout import connect, remove;"
        "client = connect('http://127.0.0.1:9', tries=1);"
        "remove(sys.stdin.buffer.read(), client=client, composite=True)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        input=file.getvalue(),
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert b"ServerAway: no connection to" in ended.stderr


@pytest.mark.parametrize("options", [{"crop": True}, {"edges": "matte"}, {"size": "hd"}])
def test_what_needs_the_whole_picture_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="composite excludes"):
        remove(b"photo", client=connect("http://127.0.0.1:9"), composite=True, **options)


@pytest.mark.parametrize("size", [(1707, 961), (100, 80), (4000, 37)])
def test_the_network_samples_the_copy_as_it_would_the_whole(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    whole = Image.fromarray(noise)

    proxy = _sample(whole)

    side = (NETWORK_SIDE, NETWORK_SIDE)
    seen, expected = (
        functional.interpolate(
            torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float(),
            side,
            mode="bilinear",
        )
        for picture in (proxy, whole)
    )
    assert (seen - expected).abs().max() < 1.1  # Pillow cuts fractions off
