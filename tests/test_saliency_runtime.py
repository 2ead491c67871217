import hashlib
import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from model_metadata import ModelMetadata
from preprocessing import Normalize, Rescale
from saliency_runtime import ModelLoadError, SaliencyRuntime, choose_device, load_runtime

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights_file(weights: Path) -> Path:
    return weights / "u2netp.pth"


@pytest.fixture(scope="module")
def metadata(weights_file: Path) -> ModelMetadata:
    record = json.loads(weights_file.with_suffix(".json").read_text(encoding="utf-8"))
    return ModelMetadata(
        variant=record["variant"],
        weights_sha256=record["sha256"],
        weights_source=record["source"],
        license="Apache-2.0",
        sources_sha256="",
    )


@pytest.fixture(scope="module")
def runtime(weights_file: Path, metadata: ModelMetadata) -> SaliencyRuntime:
    return load_runtime(weights_file, metadata, CPU)


@pytest.fixture(scope="module")
def batch(photos: list[Image.Image]) -> Tensor:
    return torch.stack([Normalize()(Rescale(320)(photo)) for photo in photos[:3]])


def test_damaged_weights_are_refused(
    weights_file: Path, metadata: ModelMetadata, tmp_path: Path
) -> None:
    damaged = tmp_path / weights_file.name
    damaged.write_bytes(weights_file.read_bytes()[:-1])

    with pytest.raises(ModelLoadError, match=r"u2netp\.pth is damaged"):
        load_runtime(damaged, metadata, CPU)


def test_an_unknown_variant_is_refused(weights_file: Path, metadata: ModelMetadata) -> None:
    with pytest.raises(ModelLoadError, match="unknown variant 'u3net'"):
        load_runtime(weights_file, replace(metadata, variant="u3net"), CPU)


def test_weights_of_another_variant_are_refused(
    weights_file: Path, metadata: ModelMetadata
) -> None:
    with pytest.raises(ModelLoadError):
        load_runtime(weights_file, replace(metadata, variant="u2net"), CPU)


def test_a_file_that_would_run_code_is_refused(metadata: ModelMetadata, tmp_path: Path) -> None:
    pickled = tmp_path / "network.pth"
    torch.save(nn.Linear(1, 1), pickled)
    digest = hashlib.sha256(pickled.read_bytes()).hexdigest()

    with pytest.raises(pickle.UnpicklingError):
        load_runtime(pickled, replace(metadata, weights_sha256=digest), CPU)


def test_a_refusal_is_of_the_only_kind_that_torchserve_reports() -> None:
    assert issubclass(ModelLoadError, RuntimeError)


def test_real_weights_see_the_subject_and_not_the_backdrop(
    runtime: SaliencyRuntime, batch: Tensor
) -> None:
    with torch.inference_mode():
        astronaut = runtime(batch[:1])[0, 0]

    # The face, and the upper left corner.
    assert astronaut[70, 140] > 0.9 > 0.1 > astronaut[10, 10]


def test_every_weight_is_served_in_float32(runtime: SaliencyRuntime) -> None:
    assert {parameter.dtype for parameter in runtime.network.parameters()} == {torch.float32}


def test_the_served_network_needs_no_gradients(runtime: SaliencyRuntime) -> None:
    assert not any(parameter.requires_grad for parameter in runtime.network.parameters())


def test_a_gpu_may_not_round_the_convolutions(runtime: SaliencyRuntime) -> None:
    assert not torch.backends.cudnn.allow_tf32


def test_a_mask_does_not_depend_on_the_batch(runtime: SaliencyRuntime, batch: Tensor) -> None:
    with torch.inference_mode():
        together = runtime(batch)
        alone = torch.cat([runtime(picture.unsqueeze(0)) for picture in batch])

    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


def test_seven_maps_come_out_for_each_picture(runtime: SaliencyRuntime, batch: Tensor) -> None:
    with torch.inference_mode():
        assert runtime(batch).shape == (3, 7, 320, 320)


def test_warming_up_leaves_no_trace(runtime: SaliencyRuntime) -> None:
    before = {name: tensor.clone() for name, tensor in runtime.network.state_dict().items()}

    runtime.warm_up()

    after = runtime.network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_the_runtime_says_what_it_runs_on(runtime: SaliencyRuntime) -> None:
    described = (runtime.description, runtime.device_description)

    assert described == (f"torch {torch.__version__}", "cpu")


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
