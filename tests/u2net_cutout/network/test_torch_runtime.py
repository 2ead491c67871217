import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from preprocessing import Normalize, Rescale
from u2net_cutout.network.cpu_features import cpu_has
from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.precision import Precision
from u2net_cutout.network.torch_runtime import TorchRuntime, load_torch
from u2net_cutout.network.variant import VARIANTS

CPU = torch.device("cpu")
U2NETP = VARIANTS["u2netp"]


def load(weights: Path, precision: Precision = Precision.FP32) -> TorchRuntime:
    return load_torch([weights / "u2netp.pth"], U2NETP, precision, CPU)


@pytest.fixture(scope="module")
def runtime(weights: Path) -> TorchRuntime:
    return load(weights)


@pytest.fixture(scope="module")
def batch(photos: list[Image.Image]) -> Tensor:
    return torch.stack([Normalize()(Rescale(320)(photo)) for photo in photos[:3]])


def test_weights_of_another_variant_are_refused(weights: Path) -> None:
    with pytest.raises(ModelLoadError, match="does not hold weights of u2net"):
        load_torch([weights / "u2netp.pth"], VARIANTS["u2net"], Precision.FP32, CPU)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    pickled = tmp_path / "network.pth"
    torch.save(nn.Linear(1, 1), pickled)

    with pytest.raises(pickle.UnpicklingError):
        load_torch([pickled], U2NETP, Precision.FP32, CPU)


def test_a_precision_that_torch_does_not_have_is_refused(weights: Path) -> None:
    with pytest.raises(ModelLoadError, match="int8"):
        load(weights, Precision.INT8)


def test_real_weights_see_the_subject_and_not_the_backdrop(
    runtime: TorchRuntime, batch: Tensor
) -> None:
    with torch.inference_mode():
        astronaut = runtime(batch[:1])[0, 0]

    # The face, and the upper left corner.
    assert astronaut[70, 140] > 0.9 > 0.1 > astronaut[10, 10]


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16, Precision.FP16])
def test_every_weight_is_in_the_precision_asked_for(weights: Path, precision: Precision) -> None:
    runtime = load(weights, precision)

    assert {parameter.dtype for parameter in runtime.network.parameters()} == {runtime.dtype}
    dtype = str(runtime.dtype).removeprefix("torch.")
    assert runtime.kernels == {f"cpu {dtype} channels_last": 119}


def test_half_precision_gives_nearly_the_same_maps_in_float32(
    weights: Path, runtime: TorchRuntime, batch: Tensor
) -> None:
    with torch.inference_mode():
        exact, half = runtime(batch[:1]), load(weights, Precision.BF16)(batch[:1])

    assert half.dtype == torch.float32
    assert 0 < float((exact - half).abs().mean()) < 0.03


def test_the_served_network_needs_no_gradients(runtime: TorchRuntime) -> None:
    assert not any(parameter.requires_grad for parameter in runtime.network.parameters())


def test_a_gpu_may_not_round_the_convolutions(runtime: TorchRuntime) -> None:
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_a_mask_does_not_depend_on_the_batch(runtime: TorchRuntime, batch: Tensor) -> None:
    with torch.inference_mode():
        together = runtime(batch)
        alone = torch.cat([runtime(picture.unsqueeze(0)) for picture in batch])

    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
def test_a_batch_that_runs_at_once_gives_the_same_maps(
    weights: Path, batch: Tensor, precision: Precision
) -> None:
    if not cpu_has(precision):
        pytest.skip(f"this machine's CPU does not calculate in {precision.value}")
    runtime = load(weights, precision)
    with torch.inference_mode():
        one_by_one, at_once = runtime(batch), replace(runtime, whole_batches=True)(batch)

    assert at_once.dtype == torch.float32
    assert float((one_by_one - at_once).abs().mean()) < 1e-3


def test_maps_that_are_not_finite_are_not_answered(weights: Path, batch: Tensor) -> None:
    runtime = replace(load(weights), whole_batches=True)
    broken = batch.clone()
    broken[1, 0, 0, 0] = torch.inf

    with torch.inference_mode(), pytest.raises(FloatingPointError, match="float32"):
        runtime(broken)


def test_another_device_gets_all_weights_and_whole_batches(weights: Path) -> None:
    # A device that keeps no data, but knows where everything would be.
    elsewhere = torch.device("meta")

    runtime = load_torch([weights / "u2netp.pth"], U2NETP, Precision.FP16, elsewhere)

    assert runtime.whole_batches
    assert runtime.kernels == {"meta float16 channels_last": 119}


def test_weights_that_torch_puts_elsewhere_are_told(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = torch.load
    monkeypatch.setattr(torch, "load", lambda *_, **__: read(weights / "u2netp.pth"))

    with pytest.raises(ModelLoadError, match=r"should be on meta in torch\.float32"):
        load_torch([weights / "u2netp.pth"], U2NETP, Precision.FP32, torch.device("meta"))


def test_a_gpu_is_told_by_its_name(runtime: TorchRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA Imagined")

    described = replace(runtime, device=torch.device("cuda", 1)).device_description

    assert described == "cuda:1 (NVIDIA Imagined)"


def test_seven_maps_come_out_for_each_picture(runtime: TorchRuntime, batch: Tensor) -> None:
    with torch.inference_mode():
        assert runtime(batch).shape == (3, 7, 320, 320)


def test_the_runtime_says_what_it_runs_on(runtime: TorchRuntime) -> None:
    assert runtime.description == f"torch {torch.__version__}"
    assert runtime.device_description == f"cpu, {torch.get_num_threads()} thread(s)"
