"""A request of our own making, with which a worker warms up what stands around the network."""

from collections.abc import Mapping
from io import BytesIO

import torch
from PIL import Image
from torch import Tensor

from u2net_cutout.network.u2net import INPUT_SIZE

# How large it is hardly matters; but no limit on pictures should ever refuse it.
SIZE = (64, 48)
MAPS = 7

HEADERS: Mapping[str, object] = {"Accept": "image/png"}


def sample_row() -> dict[str, object]:
    """Return a JPEG as a row of a TorchServe batch."""
    file = BytesIO()
    Image.linear_gradient("L").resize(SIZE).convert("RGB").save(file, "JPEG")
    return {"body": file.getvalue()}


def sample_maps(device: torch.device) -> Tensor:
    """Return (7, 320, 320) saliency maps that are soft all over, so that no step is left out."""
    return torch.linspace(0, 1, INPUT_SIZE, device=device).expand(MAPS, INPUT_SIZE, INPUT_SIZE)
