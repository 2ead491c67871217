import json
from pathlib import Path
from typing import Any

import pytest
import torch

from scripts.common.paths import PHOTO
from scripts.measure.gpu.measures import Bench
from scripts.measure.gpu.run import bench_gpu
from scripts.measure.kit.errors import BenchError
from scripts.measure.kit.machine_peak import network_operations
from u2net_cutout.network.precision import Precision
from u2net_cutout.network.torch_runtime import TorchRuntime
from u2net_cutout.network.variant import VARIANTS

pytestmark = pytest.mark.filterwarnings("ignore:The image decoding:DeprecationWarning")


@pytest.fixture(scope="module")
def report(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a CPU in the place of a GPU comes to, as briefly as it goes."""
    file = tmp_path_factory.mktemp("bench") / "new" / "gpu.json"
    bench_gpu(
        [
            *("--build", str(weights.parent), "--model", "u2netp", "--json", str(file)),
            *("--device", "cpu", "--sizes", "1", "2", "--precisions", "bf16"),
            *("--threads", "2", "--repeats", "1", "--gemm-side", "256"),
            *("--photo-size", "192", "192"),
        ]
    )
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return read


@pytest.mark.parametrize("what", ["network", "handler"])
def test_each_size_of_batch_is_measured_against_the_peak(report: dict[str, Any], what: str) -> None:
    rows = report["bf16"][what]

    assert [row["batch"] for row in rows] == [1, 2]
    for row in rows:
        operations = row["pictures_a_second"] * network_operations("u2netp")
        assert row["tflops"] == pytest.approx(operations / 1e12)
        assert row["of_peak"] == pytest.approx(row["tflops"] / report["bf16"]["peak_tflops"])


def test_the_handlers_stages_are_told(report: dict[str, Any]) -> None:
    stages = set(report["bf16"]["handler"][0]["stages_ms"])

    assert stages == {"decode", "preprocess", "inference", "postprocess", "encode"}


def test_what_has_to_agree_with_the_cpu_does(report: dict[str, Any]) -> None:
    agreement = report["agreement"]
    expected = [found for name, found in agreement.items() if "0 expected" in name]

    assert expected == [0]
    for precision in ("fp16", "bf16"):
        assert 0 < agreement[f"maps in {precision}, greatest"] < 0.8
        # The small network is unsure of this picture, so that rounding shows.
        assert 0 < agreement[f"masks in {precision}, mean"] < 0.05
    assert agreement["maps in fp32, greatest"] < 1e-4
    assert agreement["nvjpeg and libjpeg-turbo, mean of 255 levels"] < 2


def test_a_batch_that_does_not_fit_is_told_and_not_run_one_by_one(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = weights / "u2netp.pth"
    bench = Bench(torch.device("cpu"), file, VARIANTS["u2netp"], threads=2, repeats=1)
    runtime = bench.load(Precision.FP32)

    def full(runtime: TorchRuntime, batch: torch.Tensor) -> torch.Tensor:
        if len(batch) > 1:
            raise torch.cuda.OutOfMemoryError("full")
        return torch.rand(1, 7, 320, 320)

    # The one thing here that only a card can do.
    monkeypatch.setattr(TorchRuntime, "__call__", full)
    rows = bench.handler(runtime, PHOTO.read_bytes(), [1, 2], 1.0)

    assert next(rows).batch == 1
    with pytest.raises(torch.cuda.OutOfMemoryError):
        next(rows)
    with pytest.raises(BenchError, match="omit large --sizes"):
        bench_gpu(
            [
                *("--build", str(weights.parent), "--model", "u2netp"),
                *("--json", str(tmp_path / "gpu.json")),
                *("--device", "cpu", "--sizes", "2", "--repeats", "1", "--gemm-side", "64"),
            ]
        )


def test_without_a_gpu_the_command_fails_and_says_what_to_do(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(BenchError, match="sees no GPU") as ended:
        bench_gpu(["--build", str(weights.parent), "--json", str(tmp_path / "gpu.json")])

    assert "--device cpu" in str(ended.value)
    assert not list(tmp_path.iterdir())
