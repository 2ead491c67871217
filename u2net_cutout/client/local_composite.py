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

# The network sees a square, whatever the aspect, each of its pixels sampled bilinearly. Of a copy
# whose side is an odd multiple of that, each square's middle pixel is sampled where the network
# would sample the whole picture, and is what it samples of the copy; each middle pixel of the
# response is one of its own matte. The response says the side; until then, U²-Net's is taken.
USUAL_SIDE = 320
MOST_PROXY_SIDE = 1024
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
    """Cut a picture out, sending a JPEG of about 1000 x 1000 pixels, or the file if it is smaller.

    The first picture may be sent twice, if the server's network takes larger ones than U²-Net.

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
    alpha, sent, received = _matte(client, picture, whole)
    result = alpha if options.channels is Channels.ALPHA else cut_out(whole, alpha)
    chosen = resolve(options.format or OutputFormat.RGBA, result)
    content = encode(result, chosen, options.quality)
    return LocalCutout(Cutout(content, CONTENT_TYPES[chosen]), sent, received)


def _matte(
    client: CutoutService, picture: bytes, whole: Image.Image
) -> tuple[Image.Image, int, int]:
    """Return a picture's alpha, and how many bytes were sent and received for it."""
    side = client.input_size or USUAL_SIDE
    copy, reply = _ask(client, picture, whole, side)
    sent, received = len(copy), len(reply.content)
    if copy is not picture and reply.input_size not in (None, side):
        side = client.input_size or side
        copy, reply = _ask(client, picture, whole, side)
        sent, received = sent + len(copy), received + len(reply.content)
    if copy is picture:
        return read_png(reply.content, "L", whole.size), sent, received
    enlarged, stride = proxy_side(side), proxy_side(side) // side
    matte = np.asarray(read_png(reply.content, "L", (enlarged, enlarged)))
    own = np.ascontiguousarray(matte[stride // 2 :: stride, stride // 2 :: stride])
    alpha = Image.fromarray(own).resize(whole.size, Image.Resampling.BILINEAR)
    return multiply_own(alpha, whole), sent, received


def _ask(
    client: CutoutService, picture: bytes, whole: Image.Image, side: int
) -> tuple[bytes, Cutout]:
    """Send a picture, or its copy if that is smaller; return what was sent, and the matte of it."""
    copy = min(_encode_proxy(whole, proxy_side(side)), picture, key=len)
    return copy, client.cut_out(copy, {"format": "png", "channels": "alpha"})


def proxy_side(side: int) -> int:
    """Return the side of the copy for a network that sees a square of `side` pixels."""
    return side * max(1, (MOST_PROXY_SIDE // side - 1) | 1)


def _encode_proxy(whole: Image.Image, side: int) -> bytes:
    """Write the copy; transparency lies on white, as the network sees it in the whole picture."""
    file = BytesIO()
    _sample(flatten(whole), side).save(file, "JPEG", quality=PROXY_QUALITY, subsampling=0)
    return file.getvalue()


def _sample(whole: Image.Image, side: int) -> Image.Image:
    # Not resize: it takes the mean of what lies between the samples, and the network does not.
    steps = whole.width / side, 0, 0, 0, whole.height / side, 0
    return whole.transform((side, side), Image.Transform.AFFINE, steps, Image.Resampling.BILINEAR)
