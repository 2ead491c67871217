"""Cutting out at home: the server gets a small copy, and its matte is laid on the picture here.

Decoding, colours, composition and encoding are the server's own modules, so that the result is what
the server makes of the whole picture with ``edges=plain``, but for the matte, which comes from the
copy.
"""

from collections.abc import Mapping
from io import BytesIO

import numpy as np
from PIL import Image

from u2net_cutout.client.client import CutoutClient
from u2net_cutout.client.errors import Refused
from u2net_cutout.client.local_options import check_possible
from u2net_cutout.client.responses import Answer
from u2net_cutout.client.traffic import Traffic
from u2net_cutout.contract.errors import CutoutError
from u2net_cutout.contract.formats import CONTENT_TYPES, OutputFormat
from u2net_cutout.contract.limits import Limits
from u2net_cutout.contract.options import Channels
from u2net_cutout.imaging.compositing import cut_out, flatten, multiply_own
from u2net_cutout.imaging.decoding import decode_image, register_heif
from u2net_cutout.imaging.encoding import encode, resolve

# The network sees 320 x 320 pixels, whatever the aspect, each sampled bilinearly. Every third pixel
# of a copy of three times that side is sampled where the network would sample the whole picture,
# and is what it samples of the copy; every third pixel of the answer is one of its own matte.
NETWORK_SIDE = 320
STRIDE = 3
PROXY_SIDE = NETWORK_SIDE * STRIDE
PROXY_QUALITY = 90
# The server's limits are about its memory and its line; here it is one's own.
LIMITS = Limits(max_file_bytes=1 << 31, max_pixels=170_000_000, max_response_bytes=1 << 31)


def composite(
    client: CutoutClient, picture: bytes, fields: Mapping[str, str]
) -> tuple[Answer, Traffic]:
    """Cut a picture out, sending a JPEG of 960 x 960 pixels, or the file itself if it is smaller.

    Raises:
        UsageError: an option needs the whole picture at the server.
        Refused, TryLater, ServerUnusable: as ``CutoutClient.cut_out``.
    """
    options = check_possible(fields)
    register_heif()
    try:
        # A budget is one of the process, which has other pictures in hand in other threads.
        whole = decode_image(picture, LIMITS, budgets=None)
    except CutoutError as error:
        raise Refused(f"{error.code}: {error}", status=error.status, code=error.code) from error
    proxy = _encode_proxy(whole)
    sent = min(proxy, picture, key=len)
    answer = client.cut_out(sent, {"format": "png", "channels": "alpha"})
    with Image.open(BytesIO(answer.content), formats=["PNG"]) as opened:
        matte = opened.convert("L")
    if sent is proxy:
        own = np.ascontiguousarray(np.asarray(matte)[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE])
        alpha = Image.fromarray(own).resize(whole.size, Image.Resampling.BILINEAR)
        kept = multiply_own(alpha, whole)
    else:
        kept = matte
    result = kept if options.channels is Channels.ALPHA else cut_out(whole, kept)
    chosen = resolve(options.format or OutputFormat.RGBA, result)
    content = encode(result, chosen, options.quality)
    traffic = Traffic(len(sent), len(answer.content), len(picture), len(content))
    return Answer(content, CONTENT_TYPES[chosen]), traffic


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
