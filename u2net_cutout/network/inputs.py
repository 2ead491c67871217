"""From decoded pictures to the network's batch: on the CPU, or with the arithmetic on a GPU.

Both give the same batch, bit by bit: each blends the same bytes by the same float32 operations, of
which none is fused or reordered.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from u2net_cutout.network.preprocessing import CHANNELS, INPUT_SIZE, Normalize, Rescale, blend

NEIGHBOURS = 4
CORNER_BYTES = NEIGHBOURS * INPUT_SIZE * INPUT_SIZE * CHANNELS
FLOAT_BYTES = 4


class NetworkInput(Protocol):
    """The step between decoded pictures and the network."""

    @property
    def description(self) -> str:
        """Where the arithmetic is done."""

    def prepare(self, picture: Image.Image) -> Tensor:
        """Do what each picture of mode RGB needs by itself, on the CPU; any thread may call it."""

    def collate(self, prepared: Sequence[Tensor]) -> Tensor:
        """Make a (B, 3, 320, 320) float32 batch, on the network's device, of prepared pictures."""

    def warm_up_batches(self, most: int) -> Iterator[Tensor]:
        """Return batches as they may come where up to `most` pictures share one."""


@dataclass(frozen=True)
class HostInput:
    """Prepares each picture completely, on the CPU."""

    description = "cpu"
    rescale = Rescale(INPUT_SIZE)
    normalize = Normalize()

    def prepare(self, picture: Image.Image) -> Tensor:
        """Return a picture as the network takes it: (3, 320, 320) float32."""
        return self.normalize(self.rescale(picture))

    def collate(self, prepared: Sequence[Tensor]) -> Tensor:
        """Stack prepared pictures."""
        return torch.stack(list(prepared))

    def warm_up_batches(self, most: int) -> Iterator[Tensor]:
        """Return one batch of one: a CPU runs the pictures of a batch one by one."""
        yield self.collate([self.prepare(_blank())])


@dataclass(frozen=True)
class DeviceInput:
    """Picks bytes on the CPU and leaves the arithmetic to a GPU, for a whole batch at once.

    A picture's four neighbours of each sample are as many bytes as its blended floats, 1.2 MB of
    any picture; the whole picture would be more, but for the smallest. They cross the bus in one
    piece, out of memory that the GPU reads by itself while the CPU goes on.
    """

    device: torch.device
    rescale = Rescale(INPUT_SIZE)
    normalize = Normalize()

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
        count, length = len(prepared), prepared[0].numel()
        pinned = self.device.type == "cuda"
        packed = torch.empty((count, length), dtype=torch.uint8, pin_memory=pinned)
        packed = torch.stack(list(prepared), out=packed).to(self.device, non_blocking=True)
        across_end = CORNER_BYTES + FLOAT_BYTES * INPUT_SIZE * CHANNELS
        corners = packed[:, :CORNER_BYTES].view(count, NEIGHBOURS, INPUT_SIZE, -1).unbind(1)
        across = packed[:, CORNER_BYTES:across_end].view(torch.float32).unsqueeze(1)
        down = packed[:, across_end:].view(torch.float32).unsqueeze(2)
        squares: Tensor = blend(corners, across, down)
        pixels = squares.view(count, INPUT_SIZE, INPUT_SIZE, CHANNELS)
        return self.normalize(pixels.permute(0, 3, 1, 2))

    def warm_up_batches(self, most: int) -> Iterator[Tensor]:
        """Return a batch of every size, the largest first: the others fit into its memory."""
        blank = self.prepare(_blank())
        for size in range(most, 0, -1):
            yield self.collate([blank] * size)


def choose_input(device: torch.device) -> NetworkInput:
    """Return what prepares pictures for a network on a device."""
    return HostInput() if device.type == "cpu" else DeviceInput(device)


def _blank() -> Image.Image:
    return Image.new("RGB", (INPUT_SIZE, INPUT_SIZE), "grey")
