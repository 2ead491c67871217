import pytest
import torch
from torch import Tensor, nn

from u2net_cutout.network.rsu import RSU, ConvBNReLU, resize_like, walk_u

SIZES = [(1, 1), (2, 3), (7, 5), (33, 47), (64, 64)]
# Depth, channels in, inside and out of a few blocks of the full-size network.
LARGE_BLOCKS = [(7, 128, 16, 64), (6, 64, 32, 128), (5, 128, 64, 256), (4, 256, 128, 512)]


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
