import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from preprocessing import Normalize, Rescale
from u2net_cutout.network import runtime as saliency_runtime
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.metadata import ModelMetadata
from u2net_cutout.network.runtime import SaliencyRuntime, choose_device, load_runtime

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def metadata(torch_network: Path) -> ModelMetadata:
    return ModelMetadata.read(torch_network)


@pytest.mark.parametrize("content", [b"", b"other weights"])
def test_damaged_weights_are_refused(
    metadata: ModelMetadata, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "u2netp.pth").write_bytes(content)

    with pytest.raises(ModelLoadError, match=r"u2netp\.pth is damaged"):
        load_runtime(tmp_path, metadata, CPU, 1)


def test_missing_weights_are_refused(metadata: ModelMetadata, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"u2netp\.pth can't be read"):
        load_runtime(tmp_path, metadata, CPU, 1)


@pytest.mark.parametrize(
    "change", [{"variant": "u3net"}, {"runtime": "abacus"}, {"precision": "int3"}]
)
def test_what_is_not_known_is_refused(
    torch_network: Path, metadata: ModelMetadata, change: dict[str, str]
) -> None:
    with pytest.raises(ModelLoadError, match=next(iter(change.values()))):
        load_runtime(torch_network, replace(metadata, **change), CPU, 1)  # type: ignore[arg-type]


def test_an_archive_for_gpus_is_not_served_on_a_cpu_in_silence(
    torch_network: Path, metadata: ModelMetadata
) -> None:
    with pytest.raises(ModelLoadError, match="built for cuda, but TorchServe assigned cpu"):
        load_runtime(torch_network, replace(metadata, device="cuda"), CPU, 1)


def test_an_archive_for_cpus_is_not_served_on_a_gpu(
    torch_network: Path, metadata: ModelMetadata
) -> None:
    with pytest.raises(ModelLoadError, match="built for cpu, but TorchServe assigned cuda:0"):
        load_runtime(torch_network, metadata, torch.device("cuda", 0), 1)


@pytest.mark.parametrize("precision", ["int8", "bf16", "fp16"])
def test_a_cpu_without_the_instructions_is_told(
    torch_network: Path, metadata: ModelMetadata, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr(saliency_runtime, "cpu_has", lambda precision: False)

    with pytest.raises(ModelLoadError, match=rf"{precision} needs.*PRECISION=fp32"):
        load_runtime(torch_network, replace(metadata, precision=precision), CPU, 1)


def test_a_refusal_is_of_the_only_kind_that_torchserve_reports() -> None:
    assert issubclass(ModelLoadError, RuntimeError)


@pytest.mark.parametrize("library", ["openvino", "ncnn"])
def test_without_its_library_an_archive_says_what_to_do(
    networks: dict[str, Path],
    openvino_network: Path,
    monkeypatch: pytest.MonkeyPatch,
    library: str,
) -> None:
    monkeypatch.setitem(sys.modules, f"u2net_cutout.network.{library}_runtime", None)
    folder = openvino_network if library == "openvino" else networks["u2netp"]

    with pytest.raises(ModelLoadError, match=f"pip install {library}"):
        load_runtime(folder, ModelMetadata.read(folder), CPU, 1)


@pytest.fixture(scope="module", params=["openvino", "ncnn", "torch"])
def runtime(
    request: pytest.FixtureRequest,
    networks: dict[str, Path],
    openvino_network: Path,
    torch_network: Path,
) -> SaliencyRuntime:
    """u2netp in float32, in each library."""
    folders = {"openvino": openvino_network, "ncnn": networks["u2netp"], "torch": torch_network}
    folder = folders[request.param]
    return load_runtime(folder, ModelMetadata.read(folder), CPU, 2)


@pytest.fixture(scope="module")
def batch(photos: list[Image.Image]) -> Tensor:
    return torch.stack([Normalize()(Rescale(320)(photo)) for photo in photos[:3]])


def test_a_mask_does_not_depend_on_the_batch(runtime: SaliencyRuntime, batch: Tensor) -> None:
    with torch.inference_mode():
        together = runtime(batch)

        assert together.shape == (3, 7, 320, 320)
        for picture, maps in zip(batch, together, strict=True):
            assert torch.equal(runtime(picture.unsqueeze(0))[0], maps)


def test_maps_outlive_the_next_picture(runtime: SaliencyRuntime, batch: Tensor) -> None:
    with torch.inference_mode():
        first = runtime(batch[:1])
        before = first.clone()

        runtime(batch[1:2])

        assert torch.equal(first, before)


def test_a_picture_of_any_memory_layout_is_taken(runtime: SaliencyRuntime) -> None:
    # A picture whose tensor is no contiguous block.
    strided = torch.rand(1, 320, 320, 3).permute(0, 3, 1, 2)

    with torch.inference_mode():
        assert torch.equal(runtime(strided), runtime(strided.contiguous()))


def test_without_an_assigned_gpu_the_cpu_is_chosen() -> None:
    assert choose_device(None) == CPU


@pytest.mark.parametrize("gpu_id", [0, 1])
def test_an_assigned_gpu_is_chosen(monkeypatch: pytest.MonkeyPatch, gpu_id: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    assert choose_device(gpu_id) == torch.device("cuda", gpu_id)


def test_an_assigned_gpu_that_torch_does_not_see_is_not_replaced_by_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(ModelLoadError, match="GPU 0"):
        choose_device(0)
