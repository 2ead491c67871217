"""U²-Net: a U-Net whose every stage is itself a U-Net. One definition; ``variant`` has its numbers.

Papers: Qin et al., "U²-Net: Going Deeper with Nested U-Structure for Salient Object Detection",
Pattern Recognition 2020, https://arxiv.org/abs/2005.09007; on IS-Net, whose stages are the same:
Qin et al., "Highly Accurate Dichotomous Image Segmentation", ECCV 2022,
https://arxiv.org/abs/2203.03041.

The attribute names (``conv_in``, ``stage1``, ``side1``, ``rebnconvin``, ``conv_s1``, ``bn_s1``) are
the keys of the official checkpoints (github.com/xuebinqin/U-2-Net and DIS): renaming one breaks
loading.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from u2net_cutout.network.variant import DILATED_FROM, ENCODER_DEPTHS, Variant

CHANNELS = 3


class SaliencyNetwork(nn.Module):
    """The saliency of each pixel, several times.

    (B, 3, H, W) normalized RGB -> (B, M, H, W) in [0, 1], M being ``Variant.map_count``: the fused
    map first, if the variant has one, then the six side maps that it is weighed from, finest first.
    Build it without `batch_norm` for folded weights.
    """

    def __init__(self, variant: Variant, *, batch_norm: bool = True) -> None:
        super().__init__()
        self.variant = variant
        below = CHANNELS
        if variant.stem is not None:
            self.conv_in = nn.Conv2d(below, variant.stem, kernel_size=3, stride=2, padding=1)
            below = variant.stem
        for stage, depth in enumerate(ENCODER_DEPTHS):
            block = RSU(
                depth,
                below,
                variant.encoder_mid[stage],
                variant.encoder_out[stage],
                dilated=stage >= DILATED_FROM,
                batch_norm=batch_norm,
            )
            self.add_module(f"stage{stage + 1}", block)
            below = variant.encoder_out[stage]
        for stage in reversed(range(len(variant.decoder_out))):
            block = RSU(
                ENCODER_DEPTHS[stage],
                below + variant.encoder_out[stage],
                variant.decoder_mid[stage],
                variant.decoder_out[stage],
                dilated=stage >= DILATED_FROM,
                batch_norm=batch_norm,
            )
            self.add_module(f"stage{stage + 1}d", block)
            below = variant.decoder_out[stage]
        # Every level draws a map of its own; the deepest level has no decoder above it.
        drawn = (*variant.decoder_out, variant.encoder_out[-1])
        for level, channels in enumerate(drawn, start=1):
            self.add_module(f"side{level}", nn.Conv2d(channels, 1, kernel_size=3, padding=1))
        if variant.fused:
            self.outconv = nn.Conv2d(len(drawn), 1, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the saliency maps of a (B, 3, H, W) batch, the mask first."""
        depth = len(ENCODER_DEPTHS)
        encoders = [self.get_submodule(f"stage{level}") for level in range(1, depth + 1)]
        decoders = [self.get_submodule(f"stage{level}d") for level in range(1, depth)]
        stem = x if self.variant.stem is None else self.conv_in(x)
        levels = walk_u(stem, encoders, decoders, halvings=depth - 1)
        sides = torch.cat(
            [
                resize_like(self.get_submodule(f"side{level}")(features), x)
                for level, features in enumerate(levels, start=1)
            ],
            dim=1,
        )
        if self.variant.fused:
            sides = torch.cat((self.outconv(sides), sides), dim=1)
        return torch.sigmoid(sides)

    def fold_batch_norm(self) -> None:
        """Fold every batch norm into its convolution, in place and exactly, for inference."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvBNReLU):
                module.fold()


class ConvBNReLU(nn.Sequential):
    """3x3 convolution, batch norm, ReLU: (B, in, H, W) -> (B, out, H, W).

    Without `batch_norm` the convolution is expected to carry the norm's scale and shift already.
    """

    def __init__(
        self, in_channels: int, out_channels: int, dilation: int, *, batch_norm: bool
    ) -> None:
        super().__init__()
        self.conv_s1 = nn.Conv2d(
            in_channels, out_channels, kernel_size=3, padding=dilation, dilation=dilation
        )
        if batch_norm:
            self.bn_s1 = nn.BatchNorm2d(out_channels)
        self.relu_s1 = nn.ReLU(inplace=True)

    def fold(self) -> None:
        """Move the batch norm's running statistics and weights into the convolution.

        Raises:
            AttributeError: the block has no batch norm (any more).
        """
        self.conv_s1 = fuse_conv_bn_eval(self.conv_s1, self.bn_s1)
        del self.bn_s1


class RSU(nn.Module):
    """A small U-Net of `depth` levels whose input, once projected, is added to its output.

    (B, in, H, W) -> (B, out, H, W). The plain block halves the map between its levels and dilates
    its deepest convolution by 2. The `dilated` one (the paper's RSU-4F) keeps the map's size and
    doubles the dilation from level to level instead.
    """

    def __init__(
        self,
        depth: int,
        in_channels: int,
        mid_channels: int,
        out_channels: int,
        *,
        dilated: bool = False,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        self.depth = depth
        # The deepest two levels of a plain block share one resolution.
        self.halvings = 0 if dilated else depth - 2
        self.rebnconvin = ConvBNReLU(in_channels, out_channels, 1, batch_norm=batch_norm)
        for level in range(1, depth + 1):
            outer = out_channels if level == 1 else mid_channels
            dilation = 2 ** (level - 1) if dilated else 1 + (level == depth)
            self.add_module(
                f"rebnconv{level}",
                ConvBNReLU(outer, mid_channels, dilation, batch_norm=batch_norm),
            )
        for level in reversed(range(1, depth)):
            outer = out_channels if level == 1 else mid_channels
            dilation = 2 ** (level - 1) if dilated else 1
            self.add_module(
                f"rebnconv{level}d",
                ConvBNReLU(2 * mid_channels, outer, dilation, batch_norm=batch_norm),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Run the block on a (B, in, H, W) map of any height and width."""
        encoders = [self.get_submodule(f"rebnconv{level}") for level in range(1, self.depth + 1)]
        decoders = [self.get_submodule(f"rebnconv{level}d") for level in range(1, self.depth)]
        projected: Tensor = self.rebnconvin(x)
        return projected + walk_u(projected, encoders, decoders, self.halvings)[0]


def walk_u(
    x: Tensor, encoders: Sequence[nn.Module], decoders: Sequence[nn.Module], halvings: int
) -> list[Tensor]:
    """Go down the encoders and up the decoders; both are listed from the finest level on.

    Between the first `halvings` pairs of encoders the map is halved (odd sides are rounded up).
    Each decoder sees the level below it beside its own encoder's map. Returns one map a level,
    finest first; the last is the deepest encoder's.
    """
    levels = []
    for level, encoder in enumerate(encoders):
        if 0 < level <= halvings:
            x = functional.max_pool2d(x, kernel_size=2, stride=2, ceil_mode=True)
        x = encoder(x)
        levels.append(x)
    for level in reversed(range(len(decoders))):
        skip = levels[level]
        levels[level] = decoders[level](torch.cat((resize_like(levels[level + 1], skip), skip), 1))
    return levels


def resize_like(x: Tensor, target: Tensor) -> Tensor:
    """Resize a (B, C, h, w) map bilinearly to the height and width of `target`."""
    if x.shape[-2:] == target.shape[-2:]:
        return x
    return functional.interpolate(x, size=target.shape[-2:], mode="bilinear", align_corners=False)
