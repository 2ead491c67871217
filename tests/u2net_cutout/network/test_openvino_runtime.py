import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from preprocessing import Normalize, Rescale
from tests.conftest import ROOT, exported
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.openvino_runtime import FLOATING_POINT, OpenVinoRuntime, load_openvino
from u2net_cutout.network.precision import Precision, Runtime
from u2net_cutout.network.runtime import load_runtime

CPU = torch.device("cpu")


def load(folder: Path, precision: Precision = Precision.FP32, threads: int = 2) -> OpenVinoRuntime:
    return load_openvino(sorted(folder.glob("*.[bx]*")), precision, threads)


@pytest.fixture(scope="module")
def runtime(openvino_network: Path) -> OpenVinoRuntime:
    return load(openvino_network)


@pytest.fixture(scope="module")
def batch(photos: list[Image.Image]) -> Tensor:
    return torch.stack([Normalize()(Rescale(320)(photo)) for photo in photos[:3]])


def test_float32_maps_are_those_of_plain_torch(
    runtime: OpenVinoRuntime, torch_network: Path, batch: Tensor
) -> None:
    plain = load_runtime(torch_network, ModelMetadata.read(torch_network), CPU, 2)

    with torch.inference_mode():
        torch.testing.assert_close(runtime(batch), plain(batch), rtol=0, atol=1e-4)


def test_every_convolution_of_float32_runs_in_float32(runtime: OpenVinoRuntime) -> None:
    assert sum(runtime.kernels.values()) >= 119
    assert all(kernel.endswith("f32") for kernel in runtime.kernels)


@pytest.mark.parametrize(
    ("precision", "suffix"), [(Precision.INT8, "I8"), (Precision.BF16, "bf16")]
)
def test_the_convolutions_run_in_the_precision_asked_for(precision: Precision, suffix: str) -> None:
    runtime = load(exported("u2net", Runtime.OPENVINO, precision), precision)

    in_precision = sum(n for kernel, n in runtime.kernels.items() if kernel.endswith(suffix))
    assert sum(runtime.kernels.values()) - in_precision == FLOATING_POINT[precision]


def test_the_sensitive_convolution_stays_in_float32_among_bfloat16() -> None:
    runtime = load(exported("u2net", Runtime.OPENVINO, Precision.BF16), Precision.BF16)

    others = {kernel: n for kernel, n in runtime.kernels.items() if not kernel.endswith("bf16")}
    assert list(others.values()) == [1]
    assert next(iter(others)).endswith("f32")


def test_a_network_that_runs_in_another_precision_is_refused(openvino_network: Path) -> None:
    # A float32 graph, told to be one in 8 bits.
    with pytest.raises(ModelLoadError, match="not in int8 here, but in"):
        load(openvino_network, Precision.INT8)


def test_kernels_without_the_instructions_are_refused(openvino_network: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from u2net_cutout.network.precision import Precision\n"
        "from u2net_cutout.network.openvino_runtime import load_openvino\n"
        "load_openvino(sorted(Path(sys.argv[1]).glob('*.[bx]*')), Precision.INT8, 1)\n"
    )
    folder = exported("u2net", Runtime.OPENVINO, Precision.INT8)
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}

    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "ModelLoadError" in done.stderr
    assert "avx2" in done.stderr


def test_half_precision_of_gpus_is_refused(openvino_network: Path) -> None:
    with pytest.raises(ModelLoadError, match="fp16"):
        load(openvino_network, Precision.FP16)


def test_what_is_no_graph_is_refused(openvino_network: Path, tmp_path: Path) -> None:
    shutil.copytree(openvino_network, tmp_path, dirs_exist_ok=True)
    (tmp_path / "u2netp.xml").write_text("<net/>")

    with pytest.raises(ModelLoadError, match=r"u2netp\.xml"):
        load(tmp_path)


def test_the_runtime_says_what_it_runs_on(runtime: OpenVinoRuntime) -> None:
    assert runtime.description.startswith("openvino 20")
    assert runtime.device_description.endswith("2 thread(s)")
