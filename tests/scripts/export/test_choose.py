import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.export import choose as subject
from scripts.export.choose import (
    ChoiceError,
    choices,
    export_best,
    export_network,
)
from scripts.export.parity import ParityError
from tests.conftest import ROOT, WEIGHTS
from u2net_cutout.network.cpu_features import cpu_has
from u2net_cutout.network.metadata import METADATA_FILE, ModelMetadata
from u2net_cutout.network.precision import Choice, Precision, Runtime

FP32 = Choice(Runtime.NCNN, Precision.FP32)
IN_FEWER_BITS = ["int8-openvino", "bf16-openvino"]
EXACT = ["fp32-ncnn", "fp32-openvino", "fp32-torch"]


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "has_gpu", lambda: False)


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "has_gpu", lambda: True)


def cpu_with(monkeypatch: pytest.MonkeyPatch, *precisions: Precision) -> None:
    monkeypatch.setattr(subject, "cpu_has", lambda each: each in (Precision.FP32, *precisions))


@pytest.mark.usefixtures("without_gpu")
def test_the_fastest_comes_first_of_what_the_cpu_has(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_with(monkeypatch, Precision.INT8, Precision.BF16)
    assert [str(c) for c in choices("auto", "auto")] == [
        *IN_FEWER_BITS,
        *EXACT,
    ]

    cpu_with(monkeypatch)
    assert [str(c) for c in choices("auto", "auto")] == EXACT


@pytest.mark.usefixtures("without_gpu")
@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        ({"torch"}, ["bf16-torch", "fp32-torch"]),
        ({"torch", "ncnn"}, ["bf16-torch", "fp32-ncnn", "fp32-torch"]),
        ({"torch", "openvino"}, [*IN_FEWER_BITS, "fp32-openvino", "fp32-torch"]),
    ],
)
def test_the_fastest_of_what_is_installed_is_taken(
    monkeypatch: pytest.MonkeyPatch, installed: set[str], chosen: list[str]
) -> None:
    cpu_with(monkeypatch, Precision.INT8, Precision.BF16)
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: object() if name in installed else None
    )

    assert [str(c) for c in choices("auto", "auto")] == chosen


@pytest.mark.usefixtures("with_gpu")
def test_a_gpu_takes_torch_in_half_precision() -> None:
    assert [str(c) for c in choices("auto", "auto")] == [
        "fp16-torch-cuda",
        "bf16-torch-cuda",
        "fp32-torch-cuda",
    ]
    assert [str(c) for c in choices("auto", "bf16")] == ["bf16-torch-cuda"]
    with pytest.raises(ChoiceError, match="others on the CPU: RUNTIME=openvino"):
        choices("auto", "int8")


@pytest.mark.usefixtures("without_gpu")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_what_is_asked_for_is_all_there_is_to_choose(precision: str) -> None:
    assert choices("openvino", precision) == [Choice(Runtime.OPENVINO, Precision(precision))]


@pytest.mark.usefixtures("without_gpu")
@pytest.mark.parametrize("runtime", ["ncnn", "openvino", "torch"])
def test_a_runtime_may_be_asked_for(runtime: str) -> None:
    assert choices(runtime, "fp32") == [Choice(Runtime(runtime), Precision.FP32)]


@pytest.mark.usefixtures("without_gpu")
@pytest.mark.parametrize(
    ("runtime", "precision", "words"),
    [
        ("auto", "int4", "PRECISION auto or one of fp32, bf16, fp16, int8"),
        ("tensorrt", "auto", "RUNTIME is auto or one of openvino, ncnn, torch"),
        ("ncnn", "int8", "ncnn can't run the network in int8 here; choose fp32"),
        ("auto", "fp16", "no installed runtime can run the network in fp16"),
        ("torch", "int8", "torch can't run the network in int8"),
        ("openvino", "fp16", "openvino can't run the network in fp16"),
    ],
)
def test_what_there_is_not_is_refused(runtime: str, precision: str, words: str) -> None:
    with pytest.raises(ChoiceError, match=words):
        choices(runtime, precision)


def test_a_network_that_is_there_is_left_alone(networks: dict[str, Path]) -> None:
    folder = networks["u2netp"]
    before = (folder / METADATA_FILE).stat().st_mtime_ns

    export_network(WEIGHTS / "u2netp.pth", folder.parent, folder.parent, [], FP32)

    assert (folder / METADATA_FILE).stat().st_mtime_ns == before


def test_a_damaged_network_is_written_again(networks: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / networks["u2netp"].name
    shutil.copytree(networks["u2netp"], folder)
    (folder / "u2netp.bin").write_bytes(b"")

    export_network(WEIGHTS / "u2netp.pth", tmp_path, WEIGHTS.parent / "photos", [], FP32)

    assert (folder / "u2netp.bin").read_bytes() == (networks["u2netp"] / "u2netp.bin").read_bytes()


def test_what_does_not_run_here_is_passed_over(
    networks: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    # Half precision is for GPUs, and this network is asked for on a CPU.
    fp16 = Choice(Runtime.TORCH, Precision.FP16)
    folder = networks["u2netp"].parent

    taken = export_best(WEIGHTS / "u2netp.pth", folder, folder.parent / "photos", [], [fp16, FP32])

    assert taken == networks["u2netp"]
    assert "fp16 needs a GPU" in capsys.readouterr().out
    assert not (folder / f"u2netp-{fp16}").exists()


def test_another_cpu_measures_for_itself(
    networks: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / networks["u2netp"].name
    shutil.copytree(networks["u2netp"], folder)
    monkeypatch.setattr(subject, "cpu_name", lambda: "another")

    export_network(WEIGHTS / "u2netp.pth", tmp_path, WEIGHTS.parent / "photos", [], FP32)

    before, after = (ModelMetadata.read(each) for each in (networks["u2netp"], folder))
    assert before.sources_sha256 != after.sources_sha256


def test_two_processes_may_write_a_network_at_once_and_need_one_library(
    tmp_path: Path, weights: Path
) -> None:
    program = (
        "import sys; sys.modules['openvino'] = sys.modules['ncnn'] = None\n"
        "from pathlib import Path\n"
        "from u2net_cutout.network.precision import Choice, Precision, Runtime\n"
        "from scripts.export.choose import export_network\n"
        f"weights, photos = Path({str(weights / 'u2netp.pth')!r}), Path({str(WEIGHTS.parent)!r})\n"
        f"export_network(weights, Path({str(tmp_path)!r}), photos / 'photos', [],\n"
        "               Choice(Runtime.TORCH, Precision.FP32))\n"
    )

    both = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) for _ in range(2)]

    assert [each.wait() for each in both] == [0, 0]
    assert (tmp_path / "u2netp-fp32-torch" / "u2netp.pth").exists()


def test_a_precision_that_misses_its_bound_is_passed_over_and_remembered(
    networks: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not cpu_has(Precision.INT8):
        pytest.skip("this machine's CPU does not calculate in int8")
    # u2netp in 8 bits is too far from float32.
    int8 = Choice(Runtime.OPENVINO, Precision.INT8)
    weights, folder, photos = WEIGHTS / "u2netp.pth", networks["u2netp"].parent, tmp_path

    taken = export_best(weights, folder, WEIGHTS.parent / "photos", [], [int8, FP32])

    assert taken == networks["u2netp"]
    assert "int8 masks differ from float32's" in capsys.readouterr().out
    left = networks["u2netp"].parent / f"u2netp-{int8}"
    written = (left / METADATA_FILE).stat().st_mtime_ns
    with pytest.raises(ParityError):
        export_network(weights, folder, photos, [], int8)
    assert (left / METADATA_FILE).stat().st_mtime_ns == written
    assert ModelMetadata.read(left).precision == "int8"
