"""From decoded pictures to the network's batch: on the CPU, or with the arithmetic on a GPU.

Both give the same batch, bit by bit: each blends the same bytes by the same float32 operations, of
which none is fused or reordered.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from u2net_cutout.network.preprocessing import CHANNELS, Normalize, Rescale, blend
from u2net_cutout.network.variant import Variant

NEIGHBOURS = 4
FLOAT_BYTES = 4


class NetworkInput(Protocol):
    """The step between decoded pictures and the network."""

    @property
    def variant(self) -> Variant:
        """The network that it prepares pictures for."""

    @property
    def description(self) -> str:
        """Where the arithmetic is done."""

    def prepare(self, picture: Image.Image) -> Tensor:
        """Do what each picture of mode RGB needs by itself, on the CPU; any thread may call it."""

    def collate(self, prepared: Sequence[Tensor]) -> Tensor:
        """Make a (B, 3, S, S) float32 batch, on the network's device, of prepared pictures.

        S is the variant's ``size``.
        """

    def warm_up_batches(self, most: int) -> Iterator[Tensor]:
        """Return batches as they may come where up to `most` pictures share one."""


@dataclass(frozen=True)
class _VariantInput:
    variant: Variant

    @cached_property
    def rescale(self) -> Rescale:
        """The first step, by the variant's numbers."""
        return Rescale(self.variant.size, self.variant.picture.whole_levels)

    @cached_property
    def normalize(self) -> Normalize:
        """The second step, by the variant's numbers."""
        picture = self.variant.picture
        return Normalize(picture.mean, picture.std, picture.white)

    @property
    def _blank(self) -> Image.Image:
        return Image.new("RGB", (self.variant.size, self.variant.size), "grey")


@dataclass(frozen=True)
class HostInput(_VariantInput):
    """Prepares each picture completely, on the CPU."""

    description = "cpu"

    def prepare(self, picture: Image.Image) -> Tensor:
        """Return a picture as the network takes it: (3, S, S) float32."""
        return self.normalize(self.rescale(picture))

    def collate(self, prepared: Sequence[Tensor]) -> Tensor:
        """Stack prepared pictures."""
        return torch.stack(list(prepared))

    def warm_up_batches(self, most: int) -> Iterator[Tensor]:
        """Return one batch of one: a CPU runs the pictures of a batch one by one."""
        yield self.collate([self.prepare(self._blank)])


@dataclass(frozen=True)
class DeviceInput(_VariantInput):
    """Picks bytes on the CPU and leaves the arithmetic to a GPU, for a whole batch at once.

    A picture's four neighbours of each sample are as many bytes as its blended floats, 1.2 MB of
    any picture where S is 320; the whole picture would be more, but for the smallest. They cross
    the bus in one piece, out of memory that the GPU reads by itself while the CPU goes on.
    """

    device: torch.device

    @property
    def description(self) -> str:
        """Where the arithmetic is done."""
        return f"sampled on the cpu, blended and normalised on {self.device}"

    def prepare(self, picture: Image.Image) -> Tensor:
        """Pick a picture's samples and their weights: one row of bytes."""
        samples = self.rescale.sample(picture)
        weights = (samples.across.view(np.uint8), samples.down.view(np.uint8))
        parts = [part.reshape(-1) for part in (*samples.corners, *weights)]
        return torch.from_numpy(np.concatenate(parts))

    def collate(self, prepared: Sequence[Tensor]) -> Tensor:
        """Blend and normalise prepared pictures on the device; the batch is channels_last."""
        count, length, size = len(prepared), prepared[0].numel(), self.variant.size
        pinned = self.device.type == "cuda"
        packed = torch.empty((count, length), dtype=torch.uint8, pin_memory=pinned)
        packed = torch.stack(list(prepared), out=packed).to(self.device, non_blocking=True)
        corners_end = NEIGHBOURS * size * size * CHANNELS
        across_end = corners_end + FLOAT_BYTES * size * CHANNELS
        corners = packed[:, :corners_end].view(count, NEIGHBOURS, size, -1).unbind(1)
        across = packed[:, corners_end:across_end].view(torch.float32).unsqueeze(1)
        down = packed[:, across_end:].view(torch.float32).unsqueeze(2)
        squares: Tensor = blend(corners, across, down)
        pixels = self.rescale.rounded(squares).view(count, size, size, CHANNELS)
        return self.normalize(pixels.permute(0, 3, 1, 2))

    def warm_up_batches(self, most: int) -> Iterator[Tensor]:
        """Return a batch of every size, the largest first: the others fit into its memory."""
        blank = self.prepare(self._blank)
        for size in range(most, 0, -1):
            yield self.collate([blank] * size)


def choose_input(device: torch.device, variant: Variant) -> NetworkInput:
    """Return what prepares pictures for a variant's network on a device."""
    return HostInput(variant) if device.type == "cpu" else DeviceInput(variant, device)
