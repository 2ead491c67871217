from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts.weights.architecture import (
    Misfit,
    advice,
    assigned,
    convolutions_of,
    fits_checkpoint,
    fits_graph,
)
from scripts.weights.onnx_file import OnnxConvolution, read_onnx
from u2net_cutout.network.variant import VARIANTS

U2NET, U2NETP, ISNET = (VARIANTS[name] for name in ("u2net", "u2netp", "isnet"))


@pytest.fixture(scope="module")
def published(weights: Path) -> tuple[OnnxConvolution, ...]:
    """The convolutions of rembg's u2netp.onnx."""
    return read_onnx(weights / "u2netp.onnx").convolutions


def test_convolutions_come_as_a_pass_meets_them() -> None:
    names = list(convolutions_of(ISNET))

    assert names[:2] == ["conv_in", "stage1.rebnconvin.conv_s1"]
    assert len(names) == 119


def test_a_published_graph_fits_its_variant_alone(
    published: tuple[OnnxConvolution, ...],
) -> None:
    assert [name for name, variant in VARIANTS.items() if fits_graph(published, variant)] == [
        "u2netp"
    ]


def test_what_the_file_names_takes_its_place_wherever_it_stands(
    published: tuple[OnnxConvolution, ...],
) -> None:
    *rest, side6, fused = published
    assert "side6" in side6.names

    moved = assigned([side6, *rest, fused], U2NETP)

    expected = assigned(published, U2NETP)
    assert moved.keys() == expected.keys()
    assert all(np.array_equal(moved[name], values) for name, values in expected.items())


def test_a_name_that_comes_twice_is_refused(published: tuple[OnnxConvolution, ...]) -> None:
    twice = [replace(each, names=("side1",)) for each in published[:2]]

    with pytest.raises(Misfit, match="119 convolutions, not 119"):
        assigned([*twice, *published[2:]], U2NETP)


def test_fewer_convolutions_are_refused(published: tuple[OnnxConvolution, ...]) -> None:
    with pytest.raises(Misfit, match="it has 118 convolutions, not 119"):
        assigned(published[:-1], U2NETP)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dilation": (2, 2)}, r"dilation \[2, 2\]"),
        ({"stride": (2, 2)}, r"stage1.rebnconvin.*stride \[2, 2\], not .*stride \[1, 1\]"),
        ({"bias": None}, "no bias at stage1.rebnconvin"),
    ],
)
def test_a_convolution_of_another_kind_is_refused(
    published: tuple[OnnxConvolution, ...], changes: dict[str, tuple[int, int]], words: str
) -> None:
    first, *rest = published

    with pytest.raises(Misfit, match=words):
        assigned([replace(first, **changes), *rest], U2NETP)  # type: ignore[arg-type]


def test_a_checkpoint_is_known_by_its_kernels() -> None:
    kernels = {name: tuple(each.weight.shape) for name, each in convolutions_of(ISNET).items()}
    shapes = {f"{name}.weight": shape for name, shape in kernels.items()}
    shapes["stage1.rebnconvin.bn_s1.weight"] = (64,)

    assert fits_checkpoint(shapes, ISNET)
    assert not fits_checkpoint(shapes, U2NET)


@pytest.mark.parametrize(
    ("shapes", "fitting", "operations", "words"),
    [
        ({}, ["isnet", "isnet_anime"], (), "; it is isnet or isnet_anime: MODEL=isnet"),
        ({"side1.weight": (4, 64, 3, 3)}, [], (), "draws 4 kinds of things, as u2net_cloth_seg"),
        ({"bb.patch_embed.proj.weight": (192, 3, 4, 4)}, [], (), "a transformer, as BiRefNet"),
        ({}, [], ("Conv", "Softmax"), "a transformer, as BiRefNet"),
    ],
)
def test_other_weights_are_called_by_their_name(
    shapes: dict[str, tuple[int, ...]], fitting: list[str], operations: tuple[str, ...], words: str
) -> None:
    assert words in advice(shapes, fitting, operations)


def test_what_is_not_known_is_not_guessed() -> None:
    assert advice({"conv.weight": (2, 3, 3, 3)}, [], ("Conv", "Relu")) == ""
