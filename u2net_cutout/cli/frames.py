"""The command `b`: a video's frames out of a pipe, into files or into the next pipe."""

import sys
from argparse import Namespace
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from u2net_cutout.cli.cutter import Cutter
from u2net_cutout.cli.interrupts import LONGEST_WAIT_S
from u2net_cutout.cli.outputs import format_of, write_whole
from u2net_cutout.client.errors import UsageError
from u2net_cutout.contract.formats import OutputFormat

BYTES_A_PIXEL = 3
# Servers take files of 32 MiB.
LARGEST_UNCOMPRESSED = 30_000_000


def cut_frames(cutter: Cutter, arguments: Namespace) -> bool:
    """Cut out the frames of stdin, in order; each has its number, from 1, or goes to stdout.

    Raises:
        UsageError: the name for the files is not valid, or the frames have another size.
        ClientError, OSError: a frame has no cutout; those before it are there.
    """
    pattern = arguments.output
    if sys.stdin.isatty():
        raise UsageError("send frames through a pipe: ffmpeg -i ... -pix_fmt rgb24 -f rawvideo -")
    if pattern is None:
        cutter.default_format(OutputFormat.RGBA)
        if sys.stdout.isatty():
            raise UsageError("stdout is a terminal: name --output, or send the frames into a pipe")
    else:
        named = format_of(_numbered(pattern, 1))
        if cutter.default_format(named) is not named:
            raise UsageError(
                f"the suffix of {pattern} does not fit --format {cutter.output_format.value}"
            )
    frames = read_frames(sys.stdin.buffer, (arguments.width, arguments.height))
    cutouts = in_order(frames, lambda frame: cutter.cut_out(frame).content, arguments.jobs)
    for number, content in enumerate(cutouts, 1):
        if pattern is None:
            sys.stdout.buffer.write(content)
        else:
            write_whole(_numbered(pattern, number), content, force=cutter.force)
    sys.stdout.flush()
    return True


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
        # Compression would take longer than the transfer to a server nearby.
        kind = "BMP" if needed <= LARGEST_UNCOMPRESSED else "PNG"
        Image.frombytes("RGB", size, frame).save(file, kind, compress_level=1)
        yield file.getvalue()


def in_order(
    frames: Iterator[bytes], work: Callable[[bytes], bytes], threads: int
) -> Generator[bytes]:
    """Yield the result of the work on each frame, in order; only a few are in memory."""
    pool = ThreadPoolExecutor(threads)
    in_flight: deque[Future[bytes]] = deque()
    try:
        for frame in frames:
            in_flight.append(pool.submit(work, frame))
            if len(in_flight) > 2 * threads:
                yield _result(in_flight.popleft())
        while in_flight:
            yield _result(in_flight.popleft())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _result(future: Future[bytes]) -> bytes:
    while not future.done():
        wait([future], LONGEST_WAIT_S)
    return future.result()


def _numbered(pattern: str, number: int) -> Path:
    try:
        return Path(pattern % number)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{pattern!r} needs a place for the number, such as %03u") from error
