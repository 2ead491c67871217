"""One request's photo: read, checked and decoded, ready for the network."""

from collections.abc import Mapping
from dataclasses import dataclass

from PIL import Image

from cutout_answer import check_size
from cutout_limits import Limits
from cutout_request import read_request
from image_decoding import decode_image
from image_encoding import OutputFormat, raw_size

CUTOUT_FORMATS = (OutputFormat.RGBA, OutputFormat.PNG)
EXPLANATION_FORMATS = (OutputFormat.PNG,)


@dataclass(frozen=True)
class Photo:
    """What a client sent and how it wants the answer."""

    image: Image.Image
    """Upright, mode RGB or RGBA."""
    output_format: OutputFormat
    explain: bool
    """An explanation is asked for, not a cutout."""


def load_photo(
    row: Mapping[str, object], headers: Mapping[str, object], limits: Limits, *, explain: bool
) -> Photo:
    """Read one row of a TorchServe batch.

    Everything that can be refused without the network is refused here.

    Raises:
        CutoutError: the contract's refusals.
    """
    request = read_request(row, headers, EXPLANATION_FORMATS if explain else CUTOUT_FORMATS)
    image = decode_image(request.picture, limits)
    if request.output_format is OutputFormat.RGBA:
        check_size(raw_size(image), limits.max_response_bytes)
    return Photo(image, request.output_format, explain)
