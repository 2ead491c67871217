"""Frames of a video, as ffmpeg pipes them: raw RGB in, cutouts in the same order out."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from typing import BinaryIO

from PIL import Image

from u2net_cutout.client.errors import UsageError

BYTES_A_PIXEL = 3
# Servers take files of 32 MiB.
LARGEST_UNPACKED = 30_000_000


def read_frames(stream: BinaryIO, size: tuple[int, int]) -> Iterator[bytes]:
    """Yield each frame of a stream of ``rgb24`` as a picture file; `size` is (width, height).

    Raises:
        UsageError: the stream ends within a frame.
    """
    needed = size[0] * size[1] * BYTES_A_PIXEL
    while frame := stream.read(needed):
        if len(frame) < needed:
            raise UsageError(
                f"the last frame has {len(frame)} bytes; {size[0]} x {size[1]} in rgb24 are "
                f"{needed}: are width and height right?"
            )
        file = BytesIO()
        # Packing would take longer than the way to a server nearby.
        kind = "BMP" if needed <= LARGEST_UNPACKED else "PNG"
        Image.frombytes("RGB", size, frame).save(file, kind, compress_level=1)
        yield file.getvalue()


def in_order(
    frames: Iterator[bytes], work: Callable[[bytes], bytes], threads: int
) -> Generator[bytes]:
    """Yield what the work makes of each frame, in their order; only a few are in memory."""
    pool = ThreadPoolExecutor(threads)
    under_way: deque[Future[bytes]] = deque()
    try:
        for frame in frames:
            under_way.append(pool.submit(work, frame))
            if len(under_way) > 2 * threads:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
