from pathlib import Path

import numpy as np
import onnx
import pytest

from scripts.weights.onnx_file import read_onnx
from scripts.weights.record import WeightsError
from tests.scripts.weights.onnx_export import export, with_casts, without_names, write_graph
from u2net_cutout.network.u2net import SaliencyNetwork


@pytest.fixture(scope="module")
def network(stemmed: SaliencyNetwork) -> SaliencyNetwork:
    """A network with its batch norms, as it was trained."""
    return SaliencyNetwork(stemmed.variant).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def exported(network: SaliencyNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(network, tmp_path_factory.mktemp("onnx") / "isnet.onnx")


def test_the_convolutions_come_in_order_with_all_that_says_which_they_are(
    exported: Path, network: SaliencyNetwork
) -> None:
    file = read_onnx(exported)

    stem, first, *_ = file.convolutions
    assert stem.names == ("conv_in", "conv_in")
    assert first.names[1] == "stage1.rebnconvin.conv_s1"
    assert (stem.stride, first.stride, first.dilation) == ((2, 2), (1, 1), (1, 1))
    assert np.array_equal(stem.weight, network.conv_in.weight.numpy())
    assert len(file.convolutions) == 119
    assert {"Conv", "Resize"} <= file.operations


def test_weights_of_16_bits_come_as_float32(exported: Path, tmp_path: Path) -> None:
    copy = tmp_path / "half.onnx"
    copy.write_bytes(exported.read_bytes())
    expected = read_onnx(exported).convolutions

    file = read_onnx(with_casts(copy))

    for found, exact in zip(file.convolutions, expected, strict=True):
        assert found.weight.dtype == np.float32
        assert np.array_equal(found.weight, exact.weight.astype(np.float16).astype(np.float32))


def test_nodes_without_names_are_nameless(exported: Path, tmp_path: Path) -> None:
    copy = tmp_path / "old.onnx"
    copy.write_bytes(exported.read_bytes())

    first = read_onnx(without_names(copy)).convolutions[1]

    assert not [name for name in first.names if name.startswith("stage")]


@pytest.mark.parametrize("content", [b"\x00", b"not a graph", b"PK\x03\x04"])
def test_what_is_no_graph_is_damaged(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "other.onnx"
    file.write_bytes(content)

    with pytest.raises(WeightsError, match=r"other\.onnx is damaged"):
        read_onnx(file)


def test_an_empty_file_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()

    assert read_onnx(tmp_path / "empty.onnx").convolutions == ()


def test_weights_in_other_files_are_not_read(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "graph.onnx", {"side1": (1, 64, 3, 3)})
    model = onnx.load(file)
    onnx.save(model, file, save_as_external_data=True, location="beside", size_threshold=0)

    with pytest.raises(WeightsError, match=r"graph\.onnx: its weights are in separate files"):
        read_onnx(file)


def test_a_convolution_whose_weights_are_calculated_is_damaged(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "graph.onnx", {"side1": (1, 64, 3, 3)})
    model = onnx.load(file)
    del model.graph.initializer[:]
    onnx.save(model, file)

    with pytest.raises(WeightsError, match="damaged"):
        read_onnx(file)
