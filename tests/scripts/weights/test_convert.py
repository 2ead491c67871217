from pathlib import Path

import onnx
import pytest
import torch
from PIL import Image
from torchvision.transforms import Compose

from preprocessing import Normalize, Rescale
from scripts.weights.convert import (
    TOLERANCE,
    check_against_onnx,
    difference_from_onnx,
    folded_network,
    read_weights,
)
from scripts.weights.record import WeightsError
from tests.scripts.weights.onnx_export import (
    export,
    with_casts,
    without_names,
    write_graph,
)
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
        for photo in photos[:1]
    ]

    assert TOLERANCE == 2e-3
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
    with pytest.raises(WeightsError, match=r"is not u2net: stage1\.rebnconv1\.conv_s1 has"):
        read_weights(weights / "u2netp.onnx", VARIANTS["u2net"])


def test_weights_that_are_not_numbers_are_refused(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights / "u2netp.pth", weights_only=True)
    state["outconv.bias"].fill_(torch.nan)
    torch.save(state, tmp_path / "nan.pth")

    with pytest.raises(WeightsError, match="not finite"):
        read_weights(tmp_path / "nan.pth", VARIANTS["u2netp"])


def test_a_graph_with_a_stem_is_read_and_held_against(
    stemmed: SaliencyNetwork, tmp_path: Path
) -> None:
    file = export(stemmed, tmp_path / "isnet-general-use.onnx")

    state = read_weights(file, stemmed.variant)

    assert all(torch.equal(state[name], tensor) for name, tensor in stemmed.state_dict().items())
    assert check_against_onnx(state, stemmed.variant, file) <= TOLERANCE


@pytest.mark.parametrize("named", [True, False])
def test_batch_norms_that_an_exporter_folded_are_folded_as_ours(
    stemmed: SaliencyNetwork, tmp_path: Path, named: bool
) -> None:
    network = SaliencyNetwork(stemmed.variant).eval()
    for name, buffer in network.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    file = export(network, tmp_path / "isnet.onnx")

    state = read_weights(file if named else without_names(file), stemmed.variant)

    network.fold_batch_norm()
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(state[name], tensor)


def test_a_graph_of_one_map_is_held_against_the_mask(
    stemmed: SaliencyNetwork, tmp_path: Path
) -> None:
    file = export(stemmed, tmp_path / "isnet-anime.onnx")
    model = onnx.load(file)
    del model.graph.output[1:]
    onnx.save(model, file)

    state = read_weights(file, stemmed.variant)

    assert check_against_onnx(state, stemmed.variant, file) <= TOLERANCE


@pytest.mark.parametrize("kind", ["casts", "whole"])
def test_weights_of_16_bits_are_taken(stemmed: SaliencyNetwork, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "isnet.onnx"
    if kind == "casts":
        with_casts(export(stemmed, file))
    else:
        export(stemmed, file, torch.float16)

    state = read_weights(file, stemmed.variant)

    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    for name, tensor in stemmed.state_dict().items():
        torch.testing.assert_close(state[name], tensor.half().float(), rtol=0, atol=0)
    assert check_against_onnx(state, stemmed.variant, file) <= TOLERANCE


def test_a_graph_that_the_network_is_not_is_refused(
    stemmed: SaliencyNetwork, tmp_path: Path
) -> None:
    file = export(stemmed, tmp_path / "isnet.onnx")
    state = read_weights(file, stemmed.variant)
    # A weight in another place than the graph's.
    state["side1.weight"] = state["side2.weight"]

    with pytest.raises(WeightsError, match="differs from its ONNX graph by"):
        check_against_onnx(state, stemmed.variant, file)


def test_a_graph_that_can_not_be_run_is_told(stemmed: SaliencyNetwork, tmp_path: Path) -> None:
    file = export(stemmed, tmp_path / "isnet.onnx")
    state = read_weights(file, stemmed.variant)
    model = onnx.load(file)
    model.graph.node[0].domain = "elsewhere"
    onnx.save(model, file)

    with pytest.raises(WeightsError, match=r"isnet\.onnx can't be run"):
        check_against_onnx(state, stemmed.variant, file)


def test_a_checkpoint_in_16_bits_is_taken(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights / "u2netp.pth", weights_only=True)
    torch.save({name: tensor.half() for name, tensor in state.items()}, tmp_path / "half.pth")

    found = read_weights(tmp_path / "half.pth", VARIANTS["u2netp"])

    assert {tensor.dtype for tensor in found.values()} == {torch.float32}


def test_files_are_told_apart_by_what_is_in_them(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "graph.pth").write_bytes((weights / "u2netp.onnx").read_bytes())
    (tmp_path / "checkpoint.onnx").write_bytes((weights / "u2netp.pth").read_bytes())

    graph = read_weights(tmp_path / "graph.pth", VARIANTS["u2netp"])
    checkpoint = read_weights(tmp_path / "checkpoint.onnx", VARIANTS["u2netp"])

    assert graph.keys() == checkpoint.keys()
    assert all(torch.equal(graph[name], tensor) for name, tensor in checkpoint.items())


def test_a_checkpoint_of_torch_before_1_6_is_taken(weights: Path, tmp_path: Path) -> None:
    state = torch.load(weights / "u2netp.pth", weights_only=True)
    old = tmp_path / "old.pth"
    torch.save(state, old, _use_new_zipfile_serialization=False)

    assert read_weights(old, VARIANTS["u2netp"]).keys() == state.keys()


def test_another_variants_weights_are_called_by_its_name(weights: Path, tmp_path: Path) -> None:
    for name in ("u2netp.onnx", "u2netp.pth"):
        with pytest.raises(WeightsError, match="; it is u2netp: MODEL=u2netp"):
            read_weights(weights / name, VARIANTS["isnet"])


def test_weights_of_another_architecture_are_refused_by_its_name(tmp_path: Path) -> None:
    clothes = write_graph(tmp_path / "u2net_cloth_seg.onnx", {"side1": (4, 64, 3, 3)})
    shapes = {"conv": (3, 3, 1, 1)}
    attention = write_graph(tmp_path / "birefnet-general.onnx", shapes, ("Softmax",))
    torch.save({"bb.norm.weight": torch.ones(4)}, tmp_path / "birefnet.pth")

    with pytest.raises(WeightsError, match="draws 4 kinds of things, as u2net_cloth_seg does"):
        read_weights(clothes, VARIANTS["u2net"])
    for file in (attention, tmp_path / "birefnet.pth"):
        with pytest.raises(WeightsError, match="a transformer, as BiRefNet is"):
            read_weights(file, VARIANTS["u2net"])
