"""Warms a worker up: every step runs once, so that the first request takes no longer."""

from collections.abc import Iterable
from io import BytesIO

import torch
from PIL import Image
from torch import Tensor

from u2net_cutout.network.errors import ModelLoadError
from u2net_cutout.network.runtime import SaliencyRuntime
from u2net_cutout.network.variant import Variant
from u2net_cutout.pipeline.cutout import CutoutPipeline, Saliency
from u2net_cutout.pipeline.request import ReceivedRequest

# Small enough for any limit on pictures.
SIZE = (64, 48)


def warm_up(pipeline: CutoutPipeline, device: torch.device, max_batch: int) -> None:
    """Run every step of a pipeline whose network is on `device`, for batches of up to `max_batch`.

    Raises:
        ModelLoadError: the network's maps are not finite or elsewhere, or memory is short.
    """
    warm_up_network(pipeline.network, pipeline.network_input.warm_up_batches(max_batch))
    photo = pipeline.load(sample_request())
    pipeline.prepare(photo)
    pipeline.respond(Saliency(photo, sample_maps(pipeline.network_input.variant, device)))


def sample_request() -> ReceivedRequest:
    """Return a request for the cutout of a small JPEG as PNG."""
    file = BytesIO()
    Image.linear_gradient("L").resize(SIZE).convert("RGB").save(file, "JPEG")
    return ReceivedRequest({"body": file.getvalue()}, {"Accept": "image/png"})


def sample_maps(variant: Variant, device: torch.device) -> Tensor:
    """Return (M, S, S) saliency maps that are soft all over, so that every step has work."""
    size = variant.size
    return torch.linspace(0, 1, size, device=device).expand(variant.map_count, size, size)


def warm_up_network(runtime: SaliencyRuntime, batches: Iterable[Tensor]) -> None:
    """Run the network on batches.

    Raises:
        ModelLoadError: its maps are not finite or on another device, or memory is short.
    """
    try:
        with torch.inference_mode():
            for batch in batches:
                maps = runtime(batch)
                if maps.device != batch.device or not maps.isfinite().all():
                    raise ModelLoadError(
                        f"{runtime.description} runs, but its maps of {len(batch)} picture(s) on "
                        f"{batch.device} are not finite, or on {maps.device}"
                    )
    except torch.cuda.OutOfMemoryError as error:
        raise ModelLoadError(
            f"{runtime.device_description} has no memory left for the batches: make serve with a "
            f"smaller BATCH_SIZE, or fewer WORKERS ({error})"
        ) from error
