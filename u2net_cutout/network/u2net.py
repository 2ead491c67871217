"""U²-Net: a U-Net whose every stage is itself a U-Net. One definition; its variants are data.

Paper: https://arxiv.org/abs/2005.09007. Knows tensors only. The names of stages and side outputs
are the keys of the official checkpoints (github.com/xuebinqin/U-2-Net); renaming one breaks
loading.
"""

from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from u2net_cutout.network.rsu import RSU, ConvBNReLU, resize_like, walk_u

# The side length of the pictures that the authors trained on, in pixels.
INPUT_SIZE = 320

# Depth of each stage's block, the finest first; the last two keep their maps' size ("4F").
ENCODER_DEPTHS = (7, 6, 5, 4, 4, 4)
DILATED_FROM = 4


@dataclass(frozen=True)
class Variant:
    """The numbers in which the members of the U²-Net family differ.

    Channels inside and out of each stage's block, finest stage first: six encoders
    (``stage1`` to ``stage6``) and five decoders (``stage1d`` to ``stage5d``).
    """

    name: str
    encoder_mid: tuple[int, ...]
    encoder_out: tuple[int, ...]
    decoder_mid: tuple[int, ...]
    decoder_out: tuple[int, ...]


def _full_size(name: str) -> Variant:
    return Variant(
        name,
        encoder_mid=(32, 32, 64, 128, 256, 256),
        encoder_out=(64, 128, 256, 512, 512, 512),
        decoder_mid=(16, 32, 64, 128, 256),
        decoder_out=(64, 64, 128, 256, 512),
    )


VARIANTS = MappingProxyType(
    {
        variant.name: variant
        for variant in (
            _full_size("u2net"),
            # The same network, trained by the authors on people.
            _full_size("u2net_human_seg"),
            Variant(
                "u2netp",
                encoder_mid=(16,) * 6,
                encoder_out=(64,) * 6,
                decoder_mid=(16,) * 5,
                decoder_out=(64,) * 5,
            ),
        )
    }
)


class SaliencyNetwork(nn.Module):
    """How salient each pixel is, told seven times.

    (B, 3, H, W) normalized RGB -> (B, 7, H, W) in [0, 1]: the fused map first, then the six side
    maps that it is weighed from, finest first. Build it without `batch_norm` for folded weights.
    """

    def __init__(self, variant: Variant, *, batch_norm: bool = True) -> None:
        super().__init__()
        below = 3
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
        self.outconv = nn.Conv2d(len(drawn), 1, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the fused and the six side saliency maps of a (B, 3, H, W) batch."""
        depth = len(ENCODER_DEPTHS)
        encoders = [self.get_submodule(f"stage{level}") for level in range(1, depth + 1)]
        decoders = [self.get_submodule(f"stage{level}d") for level in range(1, depth)]
        levels = walk_u(x, encoders, decoders, halvings=depth - 1)
        sides = torch.cat(
            [
                resize_like(self.get_submodule(f"side{level}")(features), x)
                for level, features in enumerate(levels, start=1)
            ],
            dim=1,
        )
        return torch.sigmoid(torch.cat((self.outconv(sides), sides), dim=1))

    def fold_batch_norm(self) -> None:
        """Fold every batch norm into its convolution, in place and exactly, for inference."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvBNReLU):
                module.fold()
