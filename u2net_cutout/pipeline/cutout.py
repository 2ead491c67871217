"""The steps from a request to its response: load, prepare, infer, respond.

Knows pictures, the network and the contract, and no server.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from u2net_cutout.contract.limits import Limits
from u2net_cutout.imaging.compositing import flatten
from u2net_cutout.matting.uncertainty import heat_map, mean_uncertainty
from u2net_cutout.network.inputs import NetworkInput
from u2net_cutout.network.runtime import SaliencyRuntime
from u2net_cutout.pipeline.nvjpeg import DeviceJpegDecoder
from u2net_cutout.pipeline.photo import Photo, load_photo
from u2net_cutout.pipeline.rendering import render
from u2net_cutout.pipeline.request import ReceivedRequest
from u2net_cutout.pipeline.response import CutoutStats, Response, picture_response


@dataclass(frozen=True)
class Prepared:
    """A photo, and the network's input of it."""

    photo: Photo
    pixels: Tensor
    """As ``NetworkInput.prepare`` returns it."""


@dataclass(frozen=True)
class Saliency:
    """A photo and its saliency maps."""

    photo: Photo
    maps: Tensor
    """(M, S, S) in [0, 1], as the network returns them; the first is the mask."""


def explanation(photo: Photo, maps: Tensor) -> Image.Image:
    """Return a heat map, mode RGB, of where the network's (M, H, W) maps are unsure."""
    return heat_map(flatten(photo.image), maps)


@dataclass(frozen=True)
class CutoutPipeline:
    """A loaded network and the steps around it.

    Every step raises a ``CutoutError`` for what the client can mend; other errors are faults.
    """

    network: SaliencyRuntime
    network_input: NetworkInput
    limits: Limits
    jpeg_decoder: DeviceJpegDecoder | None = None
    """Tried before Pillow's."""
    explain: Callable[[Photo, Tensor], Image.Image] = explanation
    """Draws the explanation of a photo from its saliency maps."""

    def run(self, request: ReceivedRequest) -> Response:
        """Take one request through all steps.

        Raises:
            CutoutError: what the client gets instead of a cutout.
        """
        (saliency,) = self.infer([self.prepare(self.load(request))])
        return self.respond(saliency)

    def load(self, request: ReceivedRequest) -> Photo:
        """Read a request and decode its photo."""
        return load_photo(
            request.row,
            request.headers,
            self.limits,
            explain=request.headers.get("explain") == "True",
            jpeg_decoder=self.jpeg_decoder,
            timing=request.timing,
        )

    def prepare(self, photo: Photo) -> Prepared:
        """Make the network's input of a photo; it sees transparency as white."""
        with photo.timing.measure("preprocess"):
            return Prepared(photo, self.network_input.prepare(flatten(photo.image)))

    def infer(self, prepared: Sequence[Prepared]) -> list[Saliency]:
        """Run the network once on all photos; each one's timing gets the whole run's duration."""
        start = time.perf_counter()
        try:
            with torch.inference_mode():
                batch = self.network_input.collate([entry.pixels for entry in prepared])
                maps = self.network(batch)
            photos = (entry.photo for entry in prepared)
            return [Saliency(photo, own) for photo, own in zip(photos, maps, strict=True)]
        finally:
            spent = (time.perf_counter() - start) * 1000
            for entry in prepared:
                entry.photo.timing.add("inference", spent)

    def respond(self, saliency: Saliency) -> Response:
        """Render the cutout, or the explanation, and encode it as the request asks.

        The photo's picture may become the cutout itself.
        """
        photo, maps = saliency.photo, saliency.maps
        request, timing = photo.request, photo.timing
        with timing.measure("postprocess"):
            rendering = render(photo, maps[0], self.network_input.variant)
            # Only JSON holds it.
            uncertainty = mean_uncertainty(maps) if request.in_json else None
            stats = CutoutStats(rendering.subject, rendering.coverage, uncertainty)
            picture = self.explain(photo, maps) if request.explain else rendering.picture
        with timing.measure("encode"):
            response = picture_response(picture, stats, request, self.limits.max_response_bytes)
        response = response.with_header("X-Input-Size", str(self.network_input.variant.size))
        return response.with_header("Server-Timing", timing.header)
