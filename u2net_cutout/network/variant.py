"""The members of the U²-Net family, as data: their networks, and what pictures they take.

Knows numbers only, so that a command can ask for one without loading torch.

Sources: U²-Net, https://arxiv.org/abs/2005.09007, with ``u2net_test.py`` and ``data_loader.py`` of
github.com/xuebinqin/U-2-Net; IS-Net, https://arxiv.org/abs/2203.03041, with ``models/isnet.py`` and
``Inference.py`` of github.com/xuebinqin/DIS.
"""

from dataclasses import dataclass, replace
from types import MappingProxyType

# Depth of each stage's block, the finest first; the last two keep their maps' size ("4F").
ENCODER_DEPTHS = (7, 6, 5, 4, 4, 4)
DILATED_FROM = 4

# What it takes reaches 123 where it answers with 8 at most, so that fewer bits may lose more in it
# than elsewhere. It has 0.2 % of U²-Net's arithmetic, and a tenth of the error.
SENSITIVE_IN_U2NET = ("stage1d.rebnconv2d.conv_s1",)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class PictureInput:
    """How the authors' own inference makes the network's input of a picture."""

    size: int = 320
    """Side length of the square, in pixels."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    white: float | None = None
    """The level that becomes 1 before mean and deviation; None: the picture's own maximum."""
    whole_levels: bool = False
    """Round the rescaled picture down to whole levels."""


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
    picture: PictureInput = PictureInput()
    stem: int | None = None
    """Channels of a convolution that halves the picture before the first stage; None: no such."""
    fused: bool = True
    """Whether the mask is weighed from the side maps; otherwise it is the finest of them."""
    rounded_last: bool = False
    """Whether the authors scale the mask before they round it to 8 bits, not after."""
    sensitive: tuple[str, ...] = ()
    """Names of the convolutions that stay in float32 among those of fewer bits, as measured."""
    response_timeout_s: int = 30
    """Seconds for a batch, however busy the cores: a worker that takes longer hangs."""
    authors: str = "github.com/xuebinqin/U-2-Net"
    """Where those who trained it publish it."""

    @property
    def size(self) -> int:
        """Side length of the network's input and of its maps, in pixels."""
        return self.picture.size

    @property
    def resolution(self) -> int:
        """Side length of the map that the mask is drawn on: what the network can resolve."""
        return self.size if self.stem is None else self.size // 2

    @property
    def map_count(self) -> int:
        """How many maps the network returns, the mask first."""
        return len(ENCODER_DEPTHS) + self.fused


_FULL_SIZE = Variant(
    "u2net",
    encoder_mid=(32, 32, 64, 128, 256, 256),
    encoder_out=(64, 128, 256, 512, 512, 512),
    decoder_mid=(16, 32, 64, 128, 256),
    decoder_out=(64, 64, 128, 256, 512),
    sensitive=SENSITIVE_IN_U2NET,
)
_ISNET = replace(
    _FULL_SIZE,
    name="isnet",
    picture=PictureInput(
        size=1024, mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0), white=255.0, whole_levels=True
    ),
    stem=64,
    fused=False,
    rounded_last=True,
    # None. With one of its 113 convolutions in 8 bits at a time, none that has less than 1 % of the
    # arithmetic caused more than 6 % of the squared error (of lion.jpg). The worst of them,
    # ``stage6.rebnconv1``, in float32 lowers the mean error of seven photos by 3 %; noise of a
    # millionth in the pictures moves it by more than 10 %.
    sensitive=(),
    # Of 50 megapixels, with five times more to do than cores: 24 to 34 s.
    response_timeout_s=60,
    authors="github.com/xuebinqin/DIS",
)

VARIANTS = MappingProxyType(
    {
        variant.name: variant
        for variant in (
            _FULL_SIZE,
            # The same network, trained by the authors on people.
            replace(_FULL_SIZE, name="u2net_human_seg"),
            Variant(
                "u2netp",
                encoder_mid=(16,) * 6,
                encoder_out=(64,) * 6,
                decoder_mid=(16,) * 5,
                decoder_out=(64,) * 5,
                sensitive=SENSITIVE_IN_U2NET,
            ),
            _ISNET,
            # The same network, trained by others on drawn people. Their own inference keeps the
            # picture's aspect; here it is squeezed like all others.
            replace(
                _ISNET,
                name="isnet_anime",
                picture=PictureInput(
                    size=1024, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), white=255.0
                ),
                authors="github.com/SkyTNT/anime-segmentation",
            ),
        )
    }
)
