"""Local cutouts: the server gets a small copy, and its matte is applied to the picture here.

Decoding, colours, compositing and encoding are the server's own modules, so that the result is what
the server makes of the whole picture with ``edges=plain``, except for the matte, which is the
copy's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from u2net_cutout.client.errors import Refused
from u2net_cutout.client.local_options import check_possible
from u2net_cutout.client.png_reading import read_png
from u2net_cutout.client.responses import Cutout
from u2net_cutout.client.service import CutoutService
from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.formats import CONTENT_TYPES, OutputFormat
from u2net_cutout.contract.limits import Limits
from u2net_cutout.contract.options import Channels
from u2net_cutout.imaging.compositing import cut_out, flatten, multiply_own
from u2net_cutout.imaging.decoding import decode_image, register_heif
from u2net_cutout.imaging.encoding import encode, resolve

# The network sees 320 x 320 pixels, whatever the aspect, each sampled bilinearly. Every third pixel
# of a copy of three times that side is sampled where the network would sample the whole picture,
# and is what it samples of the copy; every third pixel of the response is one of its own matte.
NETWORK_SIDE = 320
STRIDE = 3
PROXY_SIDE = NETWORK_SIDE * STRIDE
PROXY_QUALITY = 90
# The server's limits protect its memory and its connection; this memory is the user's own.
LIMITS = Limits(max_file_bytes=1 << 31, max_pixels=170_000_000, max_response_bytes=1 << 31)


@dataclass(frozen=True)
class LocalCutout:
    """A cutout that was made locally, and the bytes that the server took and sent for it."""

    cutout: Cutout
    sent: int
    received: int


def composite(client: CutoutService, picture: bytes, fields: Mapping[str, str]) -> LocalCutout:
    """Cut a picture out, sending a JPEG of 960 x 960 pixels, or the file itself if it is smaller.

    Raises:
        UsageError: an option needs the whole picture at the server.
        Refused, BadResponse, TryLater, ServerUnusable: as ``CutoutClient.cut_out``.
    """
    options = check_possible(fields)
    register_heif()
    try:
        # A memory budget is the whole process's, and other threads decode pictures as well.
        whole = decode_image(picture, LIMITS, budgets=None)
    except CutoutError as error:
        raise Refused(f"{error.code}: {error}", status=error.status, code=error.code) from error
    proxy = _encode_proxy(whole)
    sent = min(proxy, picture, key=len)
    received = client.cut_out(sent, {"format": "png", "channels": "alpha"}).content
    if sent is proxy:
        matte = read_png(received, "L", (PROXY_SIDE, PROXY_SIDE))
        own = np.ascontiguousarray(np.asarray(matte)[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE])
        alpha = Image.fromarray(own).resize(whole.size, Image.Resampling.BILINEAR)
        kept = multiply_own(alpha, whole)
    else:
        kept = read_png(received, "L", whole.size)
    result = kept if options.channels is Channels.ALPHA else cut_out(whole, kept)
    chosen = resolve(options.format or OutputFormat.RGBA, result)
    content = encode(result, chosen, options.quality)
    return LocalCutout(Cutout(content, CONTENT_TYPES[chosen]), len(sent), len(received))


def _encode_proxy(whole: Image.Image) -> bytes:
    """Write the copy; transparency lies on white, as the network sees it in the whole picture."""
    file = BytesIO()
    _sample(flatten(whole)).save(file, "JPEG", quality=PROXY_QUALITY, subsampling=0)
    return file.getvalue()


def _sample(whole: Image.Image) -> Image.Image:
    # Not resize: it takes the mean of what lies between the samples, and the network does not.
    steps = whole.width / PROXY_SIDE, 0, 0, 0, whole.height / PROXY_SIDE, 0
    size = PROXY_SIDE, PROXY_SIDE
    return whole.transform(size, Image.Transform.AFFINE, steps, Image.Resampling.BILINEAR)
