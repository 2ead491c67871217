"""One request's photo: read, checked and decoded, ready for the network."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from PIL import Image

from u2net_cutout.contract.errors import InvalidOption
from u2net_cutout.contract.formats import OutputFormat
from u2net_cutout.contract.limits import Limits, check_response_size
from u2net_cutout.contract.options import Channels
from u2net_cutout.imaging.decoding import JpegDecoder, decode_image
from u2net_cutout.pipeline.placement import Box, region_box
from u2net_cutout.pipeline.request import CutoutRequest, read_request
from u2net_cutout.pipeline.timing import StageTiming


@dataclass(frozen=True)
class Photo:
    """The decoded pictures of a request, and the request."""

    request: CutoutRequest
    image: Image.Image
    """Upright, mode RGB or RGBA."""
    background: Image.Image | None
    """The picture behind the cutout; mode RGB or RGBA, of any size."""
    region: Box | None
    """The part of the picture in which alone there can be foreground."""
    max_pixels: int
    """The most pixels of the response's picture."""
    timing: StageTiming = field(default_factory=StageTiming, compare=False)


def load_photo(
    row: Mapping[str, object],
    headers: Mapping[str, object],
    limits: Limits,
    *,
    explain: bool,
    jpeg_decoder: JpegDecoder | None = None,
    timing: StageTiming | None = None,
) -> Photo:
    """Read one row of a TorchServe batch.

    Everything that can be refused without the network is refused here. `jpeg_decoder` is
    tried before Pillow's. `timing` gets the time of decoding, also of a photo that is refused.

    Raises:
        CutoutError: the contract's refusals.
    """
    request = read_request(row, headers, limits, explain=explain)
    timing = timing or StageTiming()
    with timing.measure("decode"):
        image = decode_image(request.picture, limits, jpeg_decoder)
        _check_raw_size(request, image, limits)
        background = None
        if request.background:
            background = decode_image(request.background, limits, jpeg_decoder)
    return Photo(request, image, background, _region(request, image), limits.max_pixels, timing)


def _check_raw_size(request: CutoutRequest, image: Image.Image, limits: Limits) -> None:
    options = request.options
    # A crop may still make it small enough.
    if request.output_format is OutputFormat.RGBA and not options.crop:
        pixels = min(image.width * image.height, options.size or limits.max_pixels)
        channels = 1 if options.channels is Channels.ALPHA else 4
        check_response_size(pixels * channels, limits.max_response_bytes)


def _region(request: CutoutRequest, image: Image.Image) -> Box | None:
    if request.options.roi is None:
        return None
    left, top, right, bottom = region_box(request.options.roi, image.size)
    if left >= right or top >= bottom:
        raise InvalidOption("roi", "roi must overlap the picture: x1 y1 x2 y2, in this order")
    return left, top, right, bottom
