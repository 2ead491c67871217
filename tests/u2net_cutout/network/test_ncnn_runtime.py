import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from preprocessing import Normalize, Rescale
from scripts.export.ncnn_graph import ncnn_graph
from scripts.weights.convert import folded_network
from tests.conftest import ROOT
from u2net_cutout.network import ncnn_runtime as ncnn_runtime
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.inputs import HostInput
from u2net_cutout.network.ncnn_runtime import NcnnRuntime, load_ncnn
from u2net_cutout.network.precision import Precision
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import VARIANTS


def load(folder: Path, precision: Precision = Precision.FP32, threads: int = 2) -> NcnnRuntime:
    return load_ncnn(sorted(folder.glob("u2netp.*")), precision, threads)


@pytest.fixture(scope="module")
def runtime(networks: dict[str, Path]) -> NcnnRuntime:
    return load(networks["u2netp"])


@pytest.fixture(scope="module")
def batch(photos: list[Image.Image]) -> Tensor:
    return torch.stack([Normalize()(Rescale(320)(photo)) for photo in photos[:3]])


def test_maps_are_those_of_plain_torch_in_float64(
    runtime: NcnnRuntime, weights: Path, batch: Tensor
) -> None:
    state = torch.load(weights / "u2netp.pth", weights_only=True)
    plain = folded_network(state, VARIANTS["u2netp"]).double()

    with torch.inference_mode():
        maps = plain(batch.double()).float()

    # In float32 torch itself is up to 0.00012 away, farther than ncnn.
    torch.testing.assert_close(runtime(batch), maps, rtol=0, atol=1e-4)


def test_the_runtime_says_what_it_runs_on_and_how(runtime: NcnnRuntime) -> None:
    assert runtime.description.startswith("ncnn 1.")
    assert runtime.device_description.endswith("2 thread(s)")
    assert runtime.kernels == {"3x3 winograd f32": 95, "3x3 dilated f32": 23, "1x1 f32": 1}


def test_a_network_with_a_stem_is_proven_and_told(
    stemmed: SaliencyNetwork, photos: list[Image.Image], tmp_path: Path
) -> None:
    files = ncnn_graph(stemmed).save(tmp_path / "network")
    batch = HostInput(stemmed.variant).prepare(photos[0])[None]

    runtime = load_ncnn(files, Precision.FP32, 1)

    assert runtime.kernels == {
        "3x3 strided f32": 1,
        "3x3 winograd f32": 95,
        "3x3 dilated f32": 23,
    }
    torch.testing.assert_close(runtime(batch), stemmed(batch), rtol=0, atol=1e-5)


def test_it_tells_where_nothing_is_filtered(
    networks: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ncnn_runtime, "UNUSED", ("use_winograd_convolution",))

    kernels = load(networks["u2netp"]).kernels

    assert kernels == {"3x3 direct f32": 95, "3x3 dilated f32": 23, "1x1 f32": 1}


def test_a_library_that_calculates_in_fewer_bits_is_refused(
    networks: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # No option is turned off; one that is on is what another version's default could be.
    def in_16_bits(threads: int, *left_out: str) -> object:
        net = plain(threads, *left_out)
        net.opt.use_bf16_storage = True
        return net

    plain = ncnn_runtime._net
    monkeypatch.setattr(ncnn_runtime, "_net", in_16_bits)

    with pytest.raises(ModelLoadError, match="does not calculate in float32 here"):
        load(networks["u2netp"])


STARVED = """
import os, resource, sys
from pathlib import Path
import psutil, torch
from u2net_cutout.network.precision import Precision
from u2net_cutout.network.ncnn_runtime import load_ncnn

runtime = load_ncnn(sorted(Path(sys.argv[1]).glob("u2netp.*")), Precision.FP32, 1)
picture = torch.rand(1, 3, 320, 320)
most = psutil.Process().memory_info().vms + (int(sys.argv[2]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
try:
    starved = runtime(picture)
except MemoryError:
    starved = None
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
maps = runtime(picture)
print("refused" if starved is None else torch.equal(starved, maps), maps.isfinite().all().item())
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.parametrize("megabytes", [1, 64, 200])
def test_without_memory_it_says_so_and_goes_on(networks: dict[str, Path], megabytes: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARVED, str(networks["u2netp"]), str(megabytes)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["refused", "True"]


GROWTH = """
import sys
from pathlib import Path
import psutil, torch
from u2net_cutout.network.precision import Precision
from u2net_cutout.network.ncnn_runtime import load_ncnn

runtime = load_ncnn(sorted(Path(sys.argv[1]).glob("u2netp.*")), Precision.FP32, 1)
if sys.argv[2] == "default":
    runtime.net.opt.blob_allocator = None
before, most = psutil.Process().memory_info().rss, 0
for _ in range(8):
    runtime(torch.rand(1, 3, 320, 320))
    most = max(most, psutil.Process().memory_info().rss)
print(most - before)
"""


def test_it_keeps_less_memory_than_ncnn_by_default(networks: dict[str, Path]) -> None:
    default, ours = (
        int(
            subprocess.run(
                [sys.executable, "-c", GROWTH, str(networks["u2netp"]), allocator],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
        )
        for allocator in ("default", "own")
    )

    # Seen: 0.65.
    assert ours < 0.9 * default


@pytest.mark.parametrize("precision", [Precision.INT8, Precision.BF16, Precision.FP16])
def test_other_precisions_are_refused(networks: dict[str, Path], precision: Precision) -> None:
    with pytest.raises(ModelLoadError, match=f"fp32 only, not in {precision.value}"):
        load(networks["u2netp"], precision)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("u2netp.param", b"<net/>"),
        ("u2netp.param", b"7767517\n1 1\nAbacus a 0 1 picture\n"),
        ("u2netp.param", b"\xff\xfe"),
        ("u2netp.bin", b""),
        ("u2netp.bin", None),
    ],
)
def test_what_is_no_network_is_refused(
    networks: dict[str, Path], tmp_path: Path, name: str, content: bytes | None
) -> None:
    shutil.copytree(networks["u2netp"], tmp_path, dirs_exist_ok=True)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(ModelLoadError, match="can't load"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("before", "passive"), [({}, True), ({"OMP_WAIT_POLICY": "active"}, False)]
)
def test_threads_wait_without_taking_the_core_unless_told_otherwise(
    before: dict[str, str], passive: bool
) -> None:
    # Torch brings a library of the same kind along, which is loaded before.
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    environment |= {"OMP_DISPLAY_ENV": "VERBOSE", **before}

    done = subprocess.run(
        [sys.executable, "-c", "import u2net_cutout.network.ncnn_runtime"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    spins = re.findall(r"GOMP_SPINCOUNT = '(\w+)'", done.stderr)
    assert (spins[-1] == "0") == passive, done.stderr
