"""What ``make serve`` chooses by default, through the real server."""

from collections.abc import Iterator

import numpy as np
import pytest

from scripts.weights.photos import fetch_evaluation
from tests.conftest import PIP_ARGUMENTS, WEIGHTS
from tests.served.conftest import Served, build_folder, make, server_in
from u2net_cutout.network.cpu_features import cpu_has
from u2net_cutout.network.precision import Precision


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
    # 111, of which 46 take two maps apart and count twice, and the finest side as well.
    assert in_8_bits == 158
    assert described["parity"]["mean_error"] <= 0.002


def test_masks_in_8_bits_are_close_to_those_of_float32(default: Served, served: Served) -> None:
    errors = {}
    # Not those that it was calibrated with.
    for file in fetch_evaluation(WEIGHTS.parent / "photos", PIP_ARGUMENTS):
        masks = []
        for server in (default, served):
            form = {"channels": "alpha", "format": "rgba"}
            answer = server.ask("u2net", files={"image_file": file.read_bytes()}, data=form)
            assert answer.status_code == 200
            masks.append(np.frombuffer(answer.content, np.uint8).astype(float) / 255)
        errors[file.name] = np.abs(masks[0] - masks[1]).mean()

    assert np.mean(list(errors.values())) <= 0.002, errors
    assert max(errors.values()) <= 0.01, errors
