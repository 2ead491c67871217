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
from scripts.export.calibration import stored_calibration
from scripts.export.openvino_graph import openvino_graph, save_graph
from scripts.export.quantisation import Scheme
from scripts.weights.convert import folded_network
from tests.conftest import ROOT, exported
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.openvino_runtime import OpenVinoRuntime, kept_floating, load_openvino
from u2net_cutout.network.precision import Precision, Runtime
from u2net_cutout.network.runtime import load_runtime
from u2net_cutout.network.variant import VARIANTS

CPU = torch.device("cpu")


def load(folder: Path, precision: Precision = Precision.FP32, threads: int = 2) -> OpenVinoRuntime:
    variant = VARIANTS["u2net"]  # as sensitive as u2netp
    return load_openvino(sorted(folder.glob("*.[bx]*")), variant, precision, threads)


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
    assert sum(runtime.kernels.values()) - in_precision == kept_floating(
        VARIANTS["u2net"], precision
    )


@pytest.mark.parametrize(
    ("variant", "precision", "count"),
    [
        ("u2net", Precision.INT8, 13),
        ("u2net", Precision.BF16, 1),
        ("u2net", Precision.FP32, 0),
        ("isnet", Precision.INT8, 12),
        ("isnet", Precision.BF16, 0),
    ],
)
def test_the_convolutions_that_stay_in_float32_are_counted(
    variant: str, precision: Precision, count: int
) -> None:
    """In 8 bits as OpenVINO reported them; IS-Net in bfloat16 has no sensitive one, by its data."""
    assert kept_floating(VARIANTS[variant], precision) == count


def test_the_sensitive_convolution_stays_in_float32_among_bfloat16() -> None:
    runtime = load(exported("u2net", Runtime.OPENVINO, Precision.BF16), Precision.BF16)

    others = {kernel: n for kernel, n in runtime.kernels.items() if not kernel.endswith("bf16")}
    assert list(others.values()) == [1]
    assert next(iter(others)).endswith("f32")


def test_a_network_that_runs_in_another_precision_is_refused(openvino_network: Path) -> None:
    # A float32 graph, told to be one in 8 bits.
    with pytest.raises(ModelLoadError, match="not in int8 here, but in"):
        load(openvino_network, Precision.INT8)


def test_8_bit_kernels_of_avx2_are_accepted_with_avx_vnni_alone(
    weights: Path, tmp_path: Path
) -> None:
    network = folded_network(
        torch.load(weights / "u2netp.pth", weights_only=True), VARIANTS["u2netp"]
    )
    scheme = Scheme.of(network)
    calibration = stored_calibration(scheme)
    assert calibration is not None
    save_graph(openvino_graph(network, calibration.quantisation(scheme)), tmp_path / "network")
    # The names do not tell AVX-VNNI, so that any CPU can show what is made of them.
    program = (
        "import sys; from pathlib import Path\n"
        "from u2net_cutout.network import openvino_runtime\n"
        "from u2net_cutout.network.errors import ModelLoadError\n"
        "from u2net_cutout.network.precision import Precision\n"
        "from u2net_cutout.network.variant import VARIANTS\n"
        "files = sorted(Path(sys.argv[1]).iterdir())\n"
        "for flags in ({'avx2', 'avx512_vnni'}, {'avx2', 'avx_vnni'}):\n"
        "    openvino_runtime.cpu_flags = lambda: frozenset(flags)\n"
        "    try:\n"
        "        found = openvino_runtime.load_openvino(\n"
        "            files, VARIANTS['u2netp'], Precision.INT8, 1\n"
        "        )\n"
        "        print(found.kernels)\n"
        "    except ModelLoadError as error:\n"
        "        print('refused:', error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    without, with_vnni = done.stdout.splitlines()
    assert without.startswith("refused:")
    assert "avx2" in without
    assert with_vnni.startswith("{")
    assert "avx2_I8" in with_vnni


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
