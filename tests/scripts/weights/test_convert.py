from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms import Compose

from preprocessing import Normalize, Rescale
from scripts.weights.convert import (
    TOLERANCE,
    difference_from_onnx,
    folded_network,
    read_weights,
)
from scripts.weights.record import WeightsError
from u2net_cutout.network.u2net import SaliencyNetwork
from u2net_cutout.network.variant import VARIANTS


@pytest.mark.parametrize("model", ["u2net", "u2netp"])
def test_the_converted_network_is_the_onnx_graph_on_real_photos(
    weights: Path, photos: list[Image.Image], model: str
) -> None:
    variant = VARIANTS[model]
    export = weights / f"{model}.onnx"
    network = folded_network(read_weights(export, variant), variant)
    image_processing = Compose([Rescale(320), Normalize()])

    differences = [
        difference_from_onnx(network, export, image_processing(photo).unsqueeze(0))
        for photo in photos
    ]

    assert TOLERANCE == 2e-4
    assert max(differences) <= TOLERANCE


def checkpoint_of(model: str, path: Path) -> SaliencyNetwork:
    """Save made-up weights under the official names; return the network that holds them."""
    torch.manual_seed(0)
    network = SaliencyNetwork(VARIANTS[model]).eval()
    for name, buffer in network.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
        elif name.endswith("running_mean"):
            buffer.uniform_(-0.5, 0.5)
    torch.save(network.state_dict(), path)
    return network


@pytest.mark.parametrize("model", ["u2netp", "u2net_human_seg"])
def test_an_official_checkpoint_is_folded(tmp_path: Path, model: str) -> None:
    checkpoint = tmp_path / f"{model}.pth"
    network = checkpoint_of(model, checkpoint)
    picture = torch.rand(1, 3, 64, 64)

    folded = folded_network(read_weights(checkpoint, VARIANTS[model]), VARIANTS[model])

    with torch.inference_mode():
        assert (folded(picture) - network(picture)).abs().max() < 1e-5


def test_weights_that_are_folded_already_are_taken(weights: Path) -> None:
    state = read_weights(weights / "u2netp.pth", VARIANTS["u2netp"])

    assert len(state) == 238


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path: Path) -> None:
    checkpoint_of("u2netp", tmp_path / "u2net.pth")

    with pytest.raises(WeightsError, match="not a checkpoint of u2net: it differs in shape at"):
        read_weights(tmp_path / "u2net.pth", VARIANTS["u2net"])


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")

    with pytest.raises(WeightsError, match=r"it lacks \d+ of the names.*does not know 2"):
        read_weights(tmp_path / "other.pth", VARIANTS["u2netp"])


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")

    with pytest.raises(WeightsError, match="not a checkpoint of plain weights"):
        read_weights(tmp_path / "module.pth", VARIANTS["u2netp"])


def test_something_else_than_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(2)], tmp_path / "list.pth")

    with pytest.raises(WeightsError, match="not a state dict"):
        read_weights(tmp_path / "list.pth", VARIANTS["u2netp"])


@pytest.mark.parametrize("suffix", [".pth", ".onnx"])
@pytest.mark.parametrize("kept", [0, 100, 1_000_000, 4_000_000])
def test_a_truncated_file_is_refused(weights: Path, tmp_path: Path, suffix: str, kept: int) -> None:
    truncated = tmp_path / f"u2netp{suffix}"
    truncated.write_bytes((weights / truncated.name).read_bytes()[:kept])

    with pytest.raises(WeightsError, match=f"u2netp{suffix}"):
        read_weights(truncated, VARIANTS["u2netp"])


def test_an_onnx_file_of_another_architecture_is_refused(weights: Path) -> None:
    with pytest.raises(WeightsError, match=r"is not u2net: at stage1\.rebnconv1\.conv_s1"):
        read_weights(weights / "u2netp.onnx", VARIANTS["u2net"])


def test_weights_that_are_not_numbers_are_refused(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights / "u2netp.pth", weights_only=True)
    state["outconv.bias"].fill_(torch.nan)
    torch.save(state, tmp_path / "nan.pth")

    with pytest.raises(WeightsError, match="not finite"):
        read_weights(tmp_path / "nan.pth", VARIANTS["u2netp"])
