"""What ``make serve`` chooses by default, through the real server."""

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from execution import Precision, cpu_has
from tests.served.conftest import Served, build_folder, make, server_in


@pytest.fixture(scope="module")
def default() -> Iterator[Served]:
    """A server as `make serve` starts it where nothing is said."""
    if not cpu_has(Precision.INT8):
        pytest.skip("this machine's CPU does not calculate in 8 bits")
    with build_folder() as build:
        config = server_in(build)
        done = make(build, config.port, "serve", "PRECISION=auto")
        assert done.returncode == 0, done.stderr
        try:
            yield Served(build, config)
        finally:
            make(build, config.port, "stop")


def test_the_default_is_8_bits_and_proven(default: Served) -> None:
    described = default.api.customized("u2net", "1.0")

    assert described["precision"] == "int8"
    assert described["runtime"].startswith("openvino 20")
    in_8_bits = sum(n for kernel, n in described["kernels"].items() if kernel.endswith("I8"))
    assert in_8_bits == 111
    assert described["parity"]["mean_error"] <= 0.002


def test_masks_in_8_bits_are_close_to_those_of_float32(
    default: Served, served: Served, photo_files: list[Path]
) -> None:
    for file in photo_files:
        masks = []
        for server in (default, served):
            payload = {
                "image_file_b64": base64.b64encode(file.read_bytes()).decode(),
                "channels": "alpha",
                "format": "rgba",
            }
            answer = server.ask("u2net", json=payload)
            assert answer.status_code == 200
            masks.append(np.frombuffer(answer.content, np.uint8).astype(float) / 255)
        assert np.abs(masks[0] - masks[1]).mean() <= 0.01, file.name
