from collections.abc import Sequence
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from u2net_cutout.network.u2net import (
    RSU,
    ConvBNReLU,
    SaliencyNetwork,
    resize_like,
    walk_u,
)
from u2net_cutout.network.variant import VARIANTS

SIZES = [(1, 1), (2, 3), (7, 5), (33, 47), (64, 64)]
# Depth, channels in, inside and out of a few blocks of the full-size network.
LARGE_BLOCKS = [(7, 128, 16, 64), (6, 64, 32, 128), (5, 128, 64, 256), (4, 256, 128, 512)]

# Written down from the official checkpoints, not from the code.
DEPTHS = {
    "stage1": 7,
    "stage2": 6,
    "stage3": 5,
    "stage4": 4,
    "stage5": 4,
    "stage6": 4,
    "stage5d": 4,
    "stage4d": 4,
    "stage3d": 5,
    "stage2d": 6,
    "stage1d": 7,
}
HEADS = ("side1", "side2", "side3", "side4", "side5", "side6", "outconv")
CONV_ENTRIES = ("conv_s1.weight", "conv_s1.bias")
NORM_ENTRIES = (
    "bn_s1.weight",
    "bn_s1.bias",
    "bn_s1.running_mean",
    "bn_s1.running_var",
    "bn_s1.num_batches_tracked",
)


def official_names(*entries: str, heads: Sequence[str] = HEADS) -> set[str]:
    names = {f"{head}.{entry}" for head in heads for entry in ("weight", "bias")}
    for stage, depth in DEPTHS.items():
        layers = ["rebnconvin", *(f"rebnconv{level}" for level in range(1, depth + 1))]
        layers += [f"rebnconv{level}d" for level in range(1, depth)]
        names |= {f"{stage}.{layer}.{entry}" for layer in layers for entry in entries}
    return names


def unbuilt(variant: str, *, batch_norm: bool) -> SaliencyNetwork:
    """Build a network without memory: names and shapes only."""
    with torch.device("meta"):
        return SaliencyNetwork(VARIANTS[variant], batch_norm=batch_norm)


def trained(variant: str) -> SaliencyNetwork:
    """Build a network whose batch norms have statistics and weights of their own."""
    torch.manual_seed(0)
    network = SaliencyNetwork(VARIANTS[variant]).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            running_mean, running_var = module.running_mean, module.running_var
            assert running_mean is not None
            assert running_var is not None
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.3)
            running_mean.normal_(0, 0.3)
            running_var.uniform_(0.3, 2)
    return network


@pytest.fixture(scope="module")
def network() -> SaliencyNetwork:
    return trained("u2netp")


@pytest.fixture(scope="module")
def batch() -> Tensor:
    return torch.randn(2, 3, 96, 80, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def maps(network: SaliencyNetwork, batch: Tensor) -> Tensor:
    found: Tensor = network(batch)
    return found


@pytest.mark.parametrize("variant", ["u2net", "u2net_human_seg", "u2netp"])
def test_the_state_dict_has_the_official_names(variant: str) -> None:
    names = unbuilt(variant, batch_norm=True).state_dict().keys()

    assert set(names) == official_names(*CONV_ENTRIES, *NORM_ENTRIES)


def test_isnets_state_dict_has_the_official_names() -> None:
    names = unbuilt("isnet", batch_norm=True).state_dict().keys()

    heads = ("conv_in", *HEADS[:-1])
    assert set(names) == official_names(*CONV_ENTRIES, *NORM_ENTRIES, heads=heads)


@pytest.mark.parametrize("variant", ["u2net", "u2netp"])
def test_the_state_dict_has_798_entries(variant: str) -> None:
    assert len(unbuilt(variant, batch_norm=True).state_dict()) == 798


@pytest.mark.parametrize("variant", ["u2net", "u2netp"])
def test_without_batch_norm_only_the_convolutions_are_left(variant: str) -> None:
    names = unbuilt(variant, batch_norm=False).state_dict().keys()

    assert set(names) == official_names(*CONV_ENTRIES)


@pytest.mark.parametrize(
    ("variant", "millions"),
    [("u2net", 43.98), ("u2net_human_seg", 43.98), ("u2netp", 1.125), ("isnet", 44.018)],
)
def test_the_folded_network_has_the_known_number_of_parameters(
    variant: str, millions: float
) -> None:
    parameters = unbuilt(variant, batch_norm=False).parameters()

    assert sum(map(torch.numel, parameters)) == pytest.approx(millions * 1e6, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("stage1.rebnconvin.conv_s1.weight", (64, 3, 3, 3)),
        ("stage6.rebnconv4.conv_s1.weight", (256, 256, 3, 3)),
        ("stage5d.rebnconvin.conv_s1.weight", (512, 1024, 3, 3)),
        ("stage1d.rebnconv1d.conv_s1.weight", (64, 32, 3, 3)),
        ("side6.weight", (1, 512, 3, 3)),
        ("outconv.weight", (1, 6, 1, 1)),
    ],
)
def test_full_size_weights_have_the_official_shapes(name: str, shape: tuple[int, ...]) -> None:
    assert unbuilt("u2net", batch_norm=True).state_dict()[name].shape == shape


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv_in.weight", (64, 3, 3, 3)),
        ("stage1.rebnconvin.conv_s1.weight", (64, 64, 3, 3)),
        ("side1.weight", (1, 64, 3, 3)),
    ],
)
def test_isnets_weights_have_the_official_shapes(name: str, shape: tuple[int, ...]) -> None:
    assert unbuilt("isnet", batch_norm=True).state_dict()[name].shape == shape


def test_a_network_with_a_stem_draws_its_maps_at_half_the_pictures_size(
    stemmed: SaliencyNetwork, batch: Tensor
) -> None:
    sizes: list[tuple[int, ...]] = []
    with stemmed.get_submodule("stage1").register_forward_pre_hook(
        lambda _, given: sizes.append(tuple(given[0].shape))
    ):
        maps = stemmed(batch)

    assert sizes == [(2, 16, 48, 40)]
    assert maps.shape == (2, 6, 96, 80)


def test_without_a_fused_map_the_finest_side_is_the_mask(
    stemmed: SaliencyNetwork, batch: Tensor
) -> None:
    drawn: list[Tensor] = []
    with stemmed.get_submodule("side1").register_forward_hook(
        lambda _, given, result: drawn.append(result)
    ):
        maps = stemmed(batch)

    finest = nn.functional.interpolate(drawn[0], (96, 80), mode="bilinear", align_corners=False)
    torch.testing.assert_close(maps[:, :1], finest.sigmoid())


def test_seven_maps_of_the_pictures_size_come_out(maps: Tensor) -> None:
    assert maps.shape == (2, 7, 96, 80)


@pytest.mark.parametrize("size", [(1, 1), (31, 33), (65, 40)])
def test_odd_sizes_are_kept(network: SaliencyNetwork, size: tuple[int, int]) -> None:
    assert network(torch.zeros(1, 3, *size)).shape == (1, 7, *size)


def test_every_map_is_a_share(maps: Tensor) -> None:
    assert ((maps >= 0) & (maps <= 1)).all()


def test_the_first_map_is_weighed_from_the_six_others(
    network: SaliencyNetwork, maps: Tensor
) -> None:
    # Logits from shares need the double precision.
    weigh = deepcopy(network.outconv).double()
    fused = torch.sigmoid(weigh(torch.logit(maps[:, 1:].double())))

    torch.testing.assert_close(maps[:, :1].double(), fused, rtol=0, atol=1e-5)


def test_the_folded_network_equals_the_unfolded_one(batch: Tensor, maps: Tensor) -> None:
    folded = trained("u2netp")
    folded.fold_batch_norm()

    torch.testing.assert_close(folded(batch), maps, rtol=0, atol=1e-5)


def test_the_folded_network_has_no_batch_norm() -> None:
    folded = trained("u2netp")
    folded.fold_batch_norm()

    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())


def test_folded_weights_load_into_a_network_without_batch_norm() -> None:
    folded = trained("u2netp")
    folded.fold_batch_norm()

    mismatch = SaliencyNetwork(VARIANTS["u2netp"], batch_norm=False).load_state_dict(
        folded.state_dict()
    )

    assert (mismatch.missing_keys, mismatch.unexpected_keys) == ([], [])


def randomize(network: nn.Module) -> None:
    """Give every batch norm statistics and weights of its own, as after a training."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            running_mean, running_var = module.running_mean, module.running_var
            assert running_mean is not None
            assert running_var is not None
            with torch.no_grad():
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(0, 0.3, generator=generator)
                running_mean.normal_(0, 0.3, generator=generator)
                running_var.uniform_(0.3, 2, generator=generator)


@torch.inference_mode()
def run(block: nn.Module, x: Tensor) -> Tensor:
    output: Tensor = block.eval()(x)
    return output


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("depth", "dilated"), [(4, False), (5, False), (6, False), (7, False), (4, True)]
)
def test_a_block_keeps_the_maps_size(depth: int, dilated: bool, size: tuple[int, int]) -> None:
    block = RSU(depth, 3, 4, 6, dilated=dilated)

    assert run(block, torch.rand(2, 3, *size)).shape == (2, 6, *size)


@pytest.mark.parametrize(
    ("depth", "dilated", "expected"),
    [
        (4, False, {"rebnconv4": 2}),
        (7, False, {"rebnconv7": 2}),
        (
            4,
            True,
            {"rebnconv2": 2, "rebnconv3": 4, "rebnconv4": 8, "rebnconv3d": 4, "rebnconv2d": 2},
        ),
    ],
)
def test_dilations_are_those_of_the_paper(
    depth: int, dilated: bool, expected: dict[str, int]
) -> None:
    dilations = {
        name: module.conv_s1.dilation[0]
        for name, module in RSU(depth, 3, 4, 6, dilated=dilated).named_children()
        if isinstance(module, ConvBNReLU)
    }

    assert {name: dilation for name, dilation in dilations.items() if dilation > 1} == expected


def test_a_block_adds_its_projected_input_to_its_output() -> None:
    block = RSU(4, 3, 4, 6).eval()
    x = torch.rand(1, 3, 16, 16)
    last = block.get_submodule("rebnconv1d.conv_s1")
    for parameter in last.parameters():
        nn.init.zeros_(parameter)

    # With a silent last layer only the residual is left.
    torch.testing.assert_close(run(block, x), run(block.rebnconvin, x))


@pytest.mark.parametrize(
    ("depth", "dilated", "expected"),
    [(7, False, [64, 32, 16, 8, 4, 2, 2]), (4, False, [64, 32, 16, 16]), (4, True, [64] * 4)],
)
def test_only_a_plain_block_halves_its_maps_and_not_the_deepest(
    depth: int, dilated: bool, expected: list[int]
) -> None:
    block = RSU(depth, 3, 4, 6, dilated=dilated)
    widths: list[int] = []
    for level in range(1, depth + 1):
        block.get_submodule(f"rebnconv{level}").register_forward_pre_hook(
            lambda _, inputs: widths.append(inputs[0].shape[-1])
        )

    run(block, torch.rand(1, 3, 64, 64))

    assert widths == expected


@pytest.mark.parametrize(
    ("halvings", "expected"),
    [
        (2, [(9, 7), (5, 4), (3, 2), (3, 2)]),
        (0, [(9, 7)] * 4),
    ],
)
def test_the_walk_halves_maps_rounding_up(halvings: int, expected: list[tuple[int, int]]) -> None:
    encoders, decoders = [nn.Identity()] * 4, [nn.Identity()] * 3

    levels = walk_u(torch.rand(1, 1, 9, 7), encoders, decoders, halvings)

    assert [tuple(level.shape[-2:]) for level in levels] == expected


def test_a_decoder_sees_the_level_below_before_its_own_encoders_map() -> None:
    def double(x: Tensor) -> Tensor:
        return 2 * x

    class Doubling(nn.Module):
        forward = staticmethod(double)

    levels = walk_u(torch.ones(1, 1, 2, 2), [nn.Identity(), Doubling()], [nn.Identity()], 0)

    assert levels[0][0, :, 0, 0].tolist() == [2, 1]


def test_a_map_of_the_right_size_is_not_resized() -> None:
    x = torch.rand(1, 2, 5, 5)

    assert resize_like(x, torch.empty(1, 9, 5, 5)) is x


@pytest.mark.parametrize("block", LARGE_BLOCKS)
def test_a_folded_block_equals_the_unfolded_one(block: tuple[int, int, int, int]) -> None:
    torch.manual_seed(0)
    network = RSU(*block)
    randomize(network)
    x = torch.randn(1, block[1], 33, 29)
    expected = run(network, x)

    for module in network.modules():
        if isinstance(module, ConvBNReLU):
            module.fold()

    torch.testing.assert_close(run(network, x), expected, rtol=1e-5, atol=1e-5)


def test_a_folded_dilated_block_equals_the_unfolded_one() -> None:
    torch.manual_seed(0)
    network = RSU(4, 512, 256, 512, dilated=True)
    randomize(network)
    x = torch.randn(1, 512, 10, 10)
    expected = run(network, x)

    for module in network.modules():
        if isinstance(module, ConvBNReLU):
            module.fold()

    torch.testing.assert_close(run(network, x), expected, rtol=1e-5, atol=1e-5)


def test_folding_twice_is_refused() -> None:
    layer = ConvBNReLU(3, 4, 1, batch_norm=True).eval()
    layer.fold()

    with pytest.raises(AttributeError):
        layer.fold()


def test_a_block_without_batch_norm_has_none() -> None:
    block = RSU(5, 3, 4, 6, batch_norm=False)

    assert not any(isinstance(module, nn.BatchNorm2d) for module in block.modules())
